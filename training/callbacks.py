"""What happens round an epoch: validate, keep the best, write down, and only then call it done."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from chalicelib.face_views import FaceViews, ViewRule
from training.crops import join_views, predict_views
from training.files import replacing
from training.manifest import Sample
from training.metrics import auc
from training.progress import every
from training.recipe import MONITORS, Phase

Row = dict[str, float]


class Checkpoint(keras.callbacks.Callback):
    """Keeps the last whole epoch of a phase: weights, averages and optimiser in one file.

    It comes first, since it must keep the weights that go on being trained, not their averages. The epoch counts
    only when `keep` has been called, after all that belongs to it was written down.
    """

    def __init__(self, folder: Path, phase: int) -> None:
        super().__init__()
        self._folder, self._phase = folder, phase
        self._pending = folder / "pending.weights.h5"

    @staticmethod
    def find(folder: Path) -> tuple[int, int]:
        """Return the phase, from 1, and its epochs that the newest checkpoint has seen; (0, 0) for none."""
        saved = sorted(folder.glob("phase_*_epoch_*.weights.h5"))
        if not saved:
            return 0, 0
        _, phase, _, epochs = saved[-1].name.split(".")[0].split("_")
        return int(phase), int(epochs)

    def restore(self, network: keras.Model, epochs: int) -> None:
        """Load the checkpoint of so many epochs of this phase into a compiled network."""
        network.optimizer.build(network.trainable_variables)
        network.load_weights(self._path(epochs))

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write what `keep` will rename."""
        with replacing(self._pending) as unfinished:
            self.model.save_weights(unfinished)

    def keep(self, epoch: int) -> None:
        """Call the epoch, from 0, done; drop what it replaces, of this phase and of those before."""
        kept = self._path(epoch + 1)
        older = set(self._folder.glob("phase_*.weights.h5")) - {kept, best_weights(self._folder, self._phase)}
        self._pending.replace(kept)
        for path in older:
            path.unlink()

    def _path(self, epochs: int) -> Path:
        return self._folder / f"phase_{self._phase}_epoch_{epochs:04d}.weights.h5"


class Reseed(keras.callbacks.Callback):
    """Starts every layer's generator (dropout, stochastic depth) anew each epoch.

    Keras saves no generator with the weights; drawn from the epoch's number, it needs not be saved.
    """

    def __init__(self, seed: int, phase: int) -> None:
        super().__init__()
        self._seed, self._phase = seed, phase

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Set each generator's state from seed, phase, epoch and the layer's place."""
        for place, layer in enumerate(_flatten(self.model)):
            generator = getattr(layer, "seed_generator", None)
            if generator is not None:
                drawn = np.random.SeedSequence((self._seed, self._phase, epoch, place)).generate_state(1)[0]
                generator.state.assign(keras.ops.cast([int(drawn) % 2**31, 0], generator.state.dtype))


class Validation(keras.callbacks.Callback):
    """Scores faces as serving sees them and adds loss, accuracy and AUC, in all and by source, to the logs."""

    def __init__(
        self, views: Sequence[FaceViews], samples: Sequence[Sample], rule: ViewRule, batch_size: int = 64
    ) -> None:
        """Take the views of N faces, their N samples, and how views become one logit."""
        super().__init__()
        self._views, self._samples, self._rule, self._batch_size = views, samples, rule, batch_size

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Add `val_loss`, `val_accuracy`, `auc` and, for every source of fakes, `auc_<source>` against all reals.

        In loss and accuracy both classes weigh the same, as they do in training.
        """
        if logs is None or not self._views:
            return
        logits = join_views(predict_views(self.model, self._views, self._batch_size), self._rule)
        labels = np.array([sample.label for sample in self._samples])
        sources = np.array([sample.source for sample in self._samples])
        losses = np.logaddexp(0, np.where(labels == 1, -logits, logits))
        present = sorted(set(labels.tolist()))
        logs["val_loss"] = float(np.mean([losses[labels == label].mean() for label in present]))
        logs["val_accuracy"] = float(np.mean([((logits > 0) == label)[labels == label].mean() for label in present]))
        logs["auc"] = auc(labels, logits)
        for source in sorted(set(sources[labels == 1])):
            kept = (labels == 0) | (sources == source)
            # A source with real pictures of its own is its own contrast.
            if (labels[sources == source] == 0).any():
                kept = sources == source
            logs[f"auc_{source}"] = auc(labels[kept], logits[kept])


class History(keras.callbacks.Callback):
    """Appends a row an epoch to a CSV and says it aloud.

    Attributes:
        rows: all of them, of this phase and of those before.
    """

    def __init__(self, path: Path, rows: list[Row], phase: int, epochs: int, report: Callable[[str], None]) -> None:
        """Go on after some rows; an epoch whose row was written but that was not kept is run again."""
        super().__init__()
        self._path, self._epochs, self._phase, self._report = path, epochs, phase, report
        self.rows = rows
        self._started = self._trained = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Start the clock."""
        self._started = time.monotonic()
        self._tell = every(20, f"epoch {epoch + 1}/{self._epochs}  step", self._report)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Say how far the epoch is; its end has a line of its own."""
        self._trained = time.monotonic()
        if batch + 1 < self.params["steps"]:
            self._tell(batch + 1, self.params["steps"])

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write the row; its seconds are those of training alone."""
        seconds = self._trained - self._started
        row = {"epoch": len(self.rows) + 1.0, "phase": float(self._phase), **(logs or {}), "seconds": seconds}
        self.rows.append({name: round(float(value), 5) for name, value in row.items()})
        write_history(self._path, self.rows)
        left = (time.monotonic() - self._started) * (self._epochs - epoch - 1) / 60
        figures = "  ".join(f"{name} {value:.3f}" for name, value in (logs or {}).items())
        self._report(f"epoch {epoch + 1}/{self._epochs}  {figures}  at most {left:.0f} min left")


class KeepBest(keras.callbacks.Callback):
    """Keeps the weights of a phase's best epoch, and ends the phase when none better comes."""

    def __init__(self, network: keras.Model, folder: Path, number: int, phase: Phase, history: History) -> None:
        """Take the network that is kept; what is trained may be a model round its layers."""
        super().__init__()
        self._network = network
        self._path, self._number, self._phase, self._history = best_weights(folder, number), number, phase, history

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Save the network where this epoch is the best so far; runs before the epoch's row is written."""
        rows = [*rows_of(self._history.rows, self._number), logs or {}]
        if find_best(rows, self._phase.monitor) == len(rows) - 1:
            with replacing(self._path) as unfinished:
                without_optimizer(self._network).save_weights(unfinished)
        self.model.stop_training = is_over(rows, self._phase)


def without_optimizer(network: keras.Model) -> keras.Model:
    """Return the same layers as a model that was never compiled: Keras saves the optimiser of one that was."""
    return keras.Model(network.input, network.output, name=network.name)


def best_weights(folder: Path, phase: int) -> Path:
    """Return where the weights of a phase's best epoch lie."""
    return folder / f"phase_{phase}_best.weights.h5"


def find_best(rows: Sequence[Row], monitor: str) -> int:
    """Return the index of the first best row; the last where nothing is monitored or it is no number."""
    values = [row.get(monitor, math.nan) if monitor else math.nan for row in rows]
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return len(rows) - 1
    return values.index(max(known) if MONITORS[monitor] else min(known))


def is_over(rows: Sequence[Row], phase: Phase) -> bool:
    """Tell whether a phase that has these rows has run its course."""
    waited = len(rows) - 1 - find_best(rows, phase.monitor)
    return len(rows) >= phase.epochs or 0 < phase.patience <= waited


def rows_of(rows: Sequence[Row], phase: int) -> list[Row]:
    """Return the rows of a phase, from 1."""
    return [row for row in rows if row["phase"] == phase]


def read_history(path: Path) -> list[Row]:
    """Return the rows of a history CSV, oldest first; none when there is no file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def write_history(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows that share their names as a CSV, whole or not at all."""
    with replacing(path) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[-1]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)


def _flatten(network: keras.Model) -> list[keras.Layer]:
    """Return all layers, those inside of networks that are layers too."""
    layers: list[keras.Layer] = []
    for layer in network.layers:
        layers += _flatten(layer) if isinstance(layer, keras.Model) else [layer]
    return layers
