"""One training, from a manifest to a saved network: resumable, seen as it goes, repeatable by its recipe."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import keras

from chalicelib.settings import Settings
from training.batches import FaceBatches, load_crops
from training.callbacks import Checkpoint, History, Validation
from training.curves import draw_curves
from training.faces import locate_faces
from training.manifest import read_manifest
from training.networks.student import build_student
from training.progress import every
from training.splits import split_by_group


@dataclass(frozen=True, slots=True)
class Recipe:
    """What fixes a training. The defaults make a student of the kind that is served."""

    side: int = 160
    width: float = 1.0
    # Start: "imagenet", "none", a .weights.h5 file of the backbone, or a student.keras to go on from.
    weights: str = "imagenet"
    # First MobileNetV2 block that is trained.
    unfreeze_from: int = 4
    batch_size: int = 32
    # An epoch is a number of steps, not a pass: draws are random and endless.
    steps: int = 150
    epochs: int = 10
    # Peak of the cosine; the first tenth of all steps warms up.
    learning_rate: float = 4e-4
    weight_decay: float = 1e-4
    label_smoothing: float = 0.01
    # Exponential moving average of the weights; the averaged ones are kept.
    ema_momentum: float = 0.995
    source_weights: dict[str, float] = field(default_factory=dict)
    # Share of the fakes that are self-blended, made on the fly from real pictures.
    self_blended: float = 0.5
    seed: int = 0


class RunMismatch(ValueError):
    """A run folder holds a training with another recipe."""


def train(
    recipe: Recipe,
    manifest: Path,
    root: Path,
    run: Path,
    *,
    settings: Settings | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Path:
    """Train, or go on where this run stopped, and save the network.

    The run folder receives `recipe.json`, `faces_found.csv` (faces found), `history.csv` (a row an epoch),
    `checkpoint/` (the last whole epoch), `curves.png` and, at the end, `student.keras`.

    Args:
        recipe: what to do.
        manifest: faces CSV.
        root: the folder that its paths start from.
        run: folder of this run; made when missing.
        settings: limits and models of decoding and face finding; the defaults when None.
        report: receives lines for a person.

    Returns:
        The path of the saved network.

    Raises:
        ManifestError: the manifest cannot be used.
        RunMismatch: the folder holds a run of another recipe or manifest.
        ValueError: a class is missing, or the recipe's values do not fit.
    """
    settings = settings or Settings()
    samples = read_manifest(manifest)
    run.mkdir(parents=True, exist_ok=True)
    _claim(run, recipe, manifest)
    saved = run / "student.keras"
    if saved.exists():
        report(f"{saved} is there already: this run is finished.")
        return saved

    keras.utils.set_random_seed(recipe.seed)
    faces = locate_faces(samples, root, run / "faces_found.csv", settings, every(5, "faces searched in", report))
    parts = split_by_group(samples, recipe.seed)
    report(", ".join(f"{part} {sum(s.path in faces for s in rows)}" for part, rows in parts.items()) + " faces")

    network = _start(recipe)
    network.compile(
        optimizer=_make_optimizer(recipe),
        loss=keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing),
        metrics=[keras.metrics.BinaryAccuracy(threshold=0.0, name="accuracy")],
    )
    checkpoint = Checkpoint(run)
    first_epoch = checkpoint.restore(network, recipe.steps)
    if first_epoch:
        report(f"goes on after epoch {first_epoch} of {recipe.epochs}")
    batches = FaceBatches(
        parts["train"],
        faces,
        root,
        side=recipe.side,
        batch_size=recipe.batch_size,
        weights=recipe.source_weights,
        self_blended=recipe.self_blended,
        settings=settings,
        seed=recipe.seed,
        first_step=first_epoch * recipe.steps,
        workers=2,
    )
    network.fit(
        batches,
        steps_per_epoch=recipe.steps,
        initial_epoch=first_epoch,
        epochs=recipe.epochs,
        shuffle=False,
        verbose=0,
        callbacks=[
            # The checkpoint comes first: it keeps the weights that go on being trained; validation sees
            # the averaged ones.
            checkpoint,
            keras.callbacks.SwapEMAWeights(swap_on_epoch=True),
            Validation(*load_crops(parts["validation"], faces, root, recipe.side, settings)),
            History(run / "history.csv", first_epoch, recipe.epochs, report),
        ],
    )
    draw_curves(run / "history.csv", run / "curves.png")
    # Saved anew, without the optimiser, whose state takes three times the network's size.
    keras.Model(network.input, network.output, name=network.name).save(run / "unfinished.keras")
    (run / "unfinished.keras").replace(saved)
    report(f"saved {saved}")
    return saved


def _start(recipe: Recipe) -> keras.Model:
    """Build the student with the weights that the recipe starts from."""
    whole = recipe.weights.endswith(".keras")
    backbone = None if whole or recipe.weights == "none" else recipe.weights
    network = build_student(recipe.side, recipe.width, backbone, recipe.unfreeze_from)
    if whole:
        network.set_weights(keras.models.load_model(recipe.weights, compile=False).get_weights())
    return network


def _make_optimizer(recipe: Recipe) -> keras.optimizers.Optimizer:
    """AdamW under a warmed-up cosine, with averaged weights."""
    total = recipe.steps * recipe.epochs
    warmup = max(1, total // 10)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        decay_steps=max(1, total - warmup),
        alpha=0.01,
        warmup_target=recipe.learning_rate,
        warmup_steps=warmup,
    )
    return keras.optimizers.AdamW(
        schedule, weight_decay=recipe.weight_decay, use_ema=True, ema_momentum=recipe.ema_momentum
    )


def _claim(run: Path, recipe: Recipe, manifest: Path) -> None:
    """Write down what this run is, or refuse to go on with another one's folder."""
    digest = hashlib.sha256(manifest.read_bytes()).hexdigest()
    stated = json.dumps({"recipe": asdict(recipe), "manifest_sha256": digest}, indent=2)
    record = run / "recipe.json"
    if record.exists() and record.read_text(encoding="utf-8") != stated:
        raise RunMismatch(f"{run} holds a run with another recipe or manifest; choose another --out folder.")
    record.write_text(stated, encoding="utf-8")
