"""A network led through the phases of a recipe, each epoch kept as it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras

from chalicelib.processes import count_processors
from chalicelib.settings import Settings
from training.batches import FaceBatches
from training.callbacks import (
    Checkpoint,
    History,
    KeepBest,
    Reseed,
    Row,
    Validation,
    best_weights,
    is_over,
    read_history,
    rows_of,
    without_optimizer,
)
from training.faces import LocatedFace
from training.forgeries.mix import Mix
from training.learners import count_cells, make_learner
from training.losses import LogitAccuracy, TaughtLoss
from training.manifest import Sample
from training.networks.catalogue import build, go_on_from, train_from
from training.networks.loading import load_network
from training.networks.student import build_student
from training.passes import PassBatches
from training.recipe import Phase, Recipe

# Threads that prepare batches, one a processor: a view takes a thread 5 ms, and a GPU far less.
WORKERS = max(2, min(16, count_processors()))


@dataclass(frozen=True, slots=True)
class Data:
    """What a training sees: its samples that have a face, and where that is."""

    train: list[Sample]
    validation: list[Sample]
    faces: dict[str, LocatedFace]
    root: Path
    settings: Settings


def start_network(recipe: Recipe) -> keras.Model:
    """Build the network that a recipe starts from.

    Raises:
        ValueError: architecture, side or weights do not fit, or the weights cannot be had.
    """
    if recipe.architecture == "student" and recipe.width != 1 and not recipe.weights.endswith(".keras"):
        return build_student(recipe.side, recipe.width, None if recipe.weights == "none" else recipe.weights, 0)
    if recipe.architecture == "student" and recipe.width != 1:
        network = build_student(recipe.side, recipe.width, None, 0)
        go_on_from(network, recipe.architecture, Path(recipe.weights))
        return network
    return build(recipe.architecture, side=recipe.side, weights=recipe.weights)


def fit_phases(
    network: keras.Model,
    recipe: Recipe,
    data: Data,
    run: Path,
    validation: Validation,
    report: Callable[[str], None],
) -> list[Row]:
    """Train, or go on after the last epoch that was kept; the network ends with the best weights of the last phase.

    Args:
        network: as `start_network` returns it.
        recipe: with phases.
        data: what it is trained on.
        run: the folder of history and checkpoints.
        validation: scores the network after every epoch.
        report: receives lines for a person.

    Returns:
        The rows of the history.

    Raises:
        WriteFailed: an epoch could not be written down; those before are kept.
        ValueError: the recipe does not fit the network or the data.
    """
    folder = run / "checkpoint"
    reached, epochs = Checkpoint.find(folder)
    known = read_history(run / "history.csv")
    rows = [row for row in known if row["phase"] < reached] + rows_of(known, reached)[:epochs]
    for number, phase in enumerate(recipe.phases, start=1):
        own = rows_of(rows, number)
        if number >= reached and not is_over(own, phase):
            where = f" of phase {number}" if len(recipe.phases) > 1 else ""
            report(f"goes on after epoch {len(own)} of {phase.epochs}{where}" if own else _announce(number, recipe))
            _fit(network, recipe, number, run, rows, make_batches(recipe, data, network, len(rows)), validation, report)
        if number >= reached and rows_of(rows, number):
            without_optimizer(network).load_weights(best_weights(folder, number))
    return rows


def _fit(
    network: keras.Model,
    recipe: Recipe,
    number: int,
    run: Path,
    rows: list[Row],
    batches: FaceBatches | PassBatches,
    validation: Validation,
    report: Callable[[str], None],
) -> None:
    """Run one phase to its end."""
    phase, folder, own = recipe.phases[number - 1], run / "checkpoint", rows_of(rows, number)
    steps = batches.steps if isinstance(batches, PassBatches) else recipe.steps
    # What is kept is the network alone, whose layers the learner shares.
    learner = start_learner(network, recipe)
    train_from(network, phase.train_from)
    compile_for(learner, phase, recipe, steps)
    checkpoint = Checkpoint(folder, number)
    if own:
        checkpoint.restore(learner, len(own))
    history = History(run / "history.csv", rows, number, phase.epochs, report)
    try:
        learner.fit(
            batches,
            steps_per_epoch=steps,
            initial_epoch=len(own),
            epochs=phase.epochs,
            shuffle=False,
            verbose=0,
            callbacks=[
                Reseed(recipe.seed, number),
                checkpoint,
                *([keras.callbacks.SwapEMAWeights(swap_on_epoch=True)] if recipe.ema_momentum else []),
                validation,
                KeepBest(network, folder, number, phase, history),
                history,
                keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: checkpoint.keep(epoch)),
            ],
        )
    except Exception as error:
        # TensorFlow wraps what a worker thread raised in an error of its own.
        if batches.pictures.failure is not None:
            raise batches.pictures.failure from error
        raise


def start_learner(network: keras.Model, recipe: Recipe) -> keras.Model:
    """Return what is trained round a network, see `training.learners`.

    Raises:
        ValueError: the teacher cannot be loaded.
    """
    teacher = load_network(Path(recipe.teacher)) if recipe.teacher else None
    return make_learner(network, cells=bool(recipe.map_weight), teacher=teacher, rounding=recipe.rounding)


def compile_for(network: keras.Model, phase: Phase, recipe: Recipe, steps: int) -> None:
    """Set how a phase trains what is trainable of a network; its epochs have so many steps."""
    network.compile(
        optimizer=make_optimizer(phase, recipe, steps),
        loss=TaughtLoss(
            recipe.map_weight,
            recipe.label_smoothing,
            recipe.distilled if recipe.teacher else 0.0,
            bool(recipe.taught),
        ),
        metrics=[LogitAccuracy()],
    )


def make_batches(recipe: Recipe, data: Data, network: keras.Model, epochs: int = 0) -> FaceBatches | PassBatches:
    """Return the training batches of a network that follow so many epochs, counted through all phases."""
    if recipe.sampling == "draws":
        return FaceBatches(
            data.train,
            data.faces,
            data.root,
            side=recipe.side,
            batch_size=recipe.batch_size,
            weights=recipe.source_weights,
            mix=Mix.of(recipe),
            settings=data.settings,
            seed=recipe.seed,
            first_step=epochs * recipe.steps,
            cells=count_cells(network) if recipe.map_weight else 0,
            fine=recipe.fine,
            native=recipe.native,
            taught=recipe.taught or None,
            posted=recipe.posted,
            workers=WORKERS,
        )
    return PassBatches(
        data.train,
        data.faces,
        data.root,
        side=recipe.side,
        batch_size=recipe.batch_size,
        augmentation=recipe.augmentation,
        settings=data.settings,
        seed=recipe.seed,
        first_epoch=epochs,
        workers=WORKERS,
    )


def make_optimizer(phase: Phase, recipe: Recipe, steps: int) -> keras.optimizers.Optimizer:
    """Return the optimiser of a phase whose epochs have so many steps."""
    rate: float | keras.optimizers.schedules.LearningRateSchedule = phase.learning_rate
    if phase.schedule == "cosine":
        total = steps * phase.epochs
        warmup = max(1, total // 10)
        rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0,
            decay_steps=max(1, total - warmup),
            alpha=0.01,
            warmup_target=phase.learning_rate,
            warmup_steps=warmup,
        )
    options: dict[str, object] = {}
    if recipe.ema_momentum:
        options = {"use_ema": True, "ema_momentum": recipe.ema_momentum}
    if phase.optimizer == "adamw":
        return keras.optimizers.AdamW(rate, weight_decay=recipe.weight_decay, **options)
    kinds = {
        "adam": keras.optimizers.Adam,
        "nadam": keras.optimizers.Nadam,
        "rmsprop": keras.optimizers.RMSprop,
        "sgd": keras.optimizers.SGD,
    }
    return kinds[phase.optimizer](rate, **options)


def _announce(number: int, recipe: Recipe) -> str:
    phase = recipe.phases[number - 1]
    trained = f"the last {phase.train_from} layers" if isinstance(phase.train_from, int) else phase.train_from
    return (
        f"phase {number} of {len(recipe.phases)}: trains {trained}, {phase.optimizer} at {phase.learning_rate:g}, "
        f"at most {phase.epochs} epochs"
    )
