"""What happens at the end of an epoch: keep, validate, write down."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from chalicelib.detector import normalise
from training.manifest import Sample
from training.metrics import auc
from training.progress import every


class Checkpoint(keras.callbacks.Callback):
    """Keeps the last whole epoch: weights, averages and optimiser in one file, renamed into place."""

    def __init__(self, run: Path) -> None:
        super().__init__()
        self._folder = run / "checkpoint"

    def restore(self, network: keras.Model, steps: int) -> int:
        """Load the newest checkpoint into a compiled network whose epochs have so many steps.

        Returns:
            The number of epochs that it has seen, 0 where there is no checkpoint.
        """
        saved = sorted(self._folder.glob("epoch_*.weights.h5"))
        if not saved:
            return 0
        network.optimizer.build(network.trainable_variables)
        network.load_weights(saved[-1])
        epochs = int(saved[-1].name.removeprefix("epoch_").split(".")[0])
        for layer in network.layers:
            # Dropout's generator is not among the weights that Keras saves; it counts one draw a step.
            if isinstance(layer, keras.layers.Dropout):
                state = layer.seed_generator.state
                state.assign(keras.ops.add(state, keras.ops.cast([0, epochs * steps], state.dtype)))
        return epochs

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write epoch + 1 and drop what it replaces."""
        self._folder.mkdir(exist_ok=True)
        older = list(self._folder.glob("epoch_*.weights.h5"))
        unfinished = self._folder / "unfinished.weights.h5"
        self.model.save_weights(unfinished)
        unfinished.replace(self._folder / f"epoch_{epoch + 1:04d}.weights.h5")
        for path in older:
            path.unlink()


class Validation(keras.callbacks.Callback):
    """Scores crops made as serving makes them and adds the AUC, in all and by source, to the logs."""

    def __init__(self, crops: np.ndarray, samples: Sequence[Sample], batch_size: int = 64) -> None:
        """Take uint8 RGB [N, side, side, 3] and its N samples."""
        super().__init__()
        self._crops, self._samples, self._batch_size = crops, samples, batch_size

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Add `auc` and, for every source that holds fakes, `auc_<source>` against all real crops."""
        if logs is None or not len(self._crops):
            return
        starts = range(0, len(self._crops), self._batch_size)
        batches = (self._crops[i : i + self._batch_size] for i in starts)
        logits = np.concatenate([self.model.predict_on_batch(normalise(batch)) for batch in batches])[:, 0]
        labels = np.array([sample.label for sample in self._samples])
        sources = np.array([sample.source for sample in self._samples])
        logs["auc"] = auc(labels, logits)
        for source in sorted(set(sources[labels == 1])):
            kept = (labels == 0) | (sources == source)
            # A source with real pictures of its own is its own contrast.
            if (labels[sources == source] == 0).any():
                kept = sources == source
            logs[f"auc_{source}"] = auc(labels[kept], logits[kept])


class History(keras.callbacks.Callback):
    """Appends a row an epoch to a CSV and says it aloud."""

    def __init__(self, path: Path, first_epoch: int, epochs: int, report: Callable[[str], None]) -> None:
        super().__init__()
        self._path, self._epochs, self._report = path, epochs, report
        # An epoch whose row was written but whose checkpoint was not is run again.
        self._rows = read_history(path)[:first_epoch]
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Start the clock."""
        self._started = time.monotonic()
        self._tell = every(20, f"epoch {epoch + 1}/{self._epochs}  step", self._report)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Say how far the epoch is; its end has a line of its own."""
        if batch + 1 < self.params["steps"]:
            self._tell(batch + 1, self.params["steps"])

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write the row."""
        seconds = time.monotonic() - self._started
        row = {"epoch": epoch + 1.0, **(logs or {}), "seconds": seconds}
        self._rows.append({name: round(float(value), 5) for name, value in row.items()})
        with self._path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(self._rows[-1]))
            writer.writeheader()
            writer.writerows(self._rows)
        left = seconds * (self._epochs - epoch - 1) / 60
        figures = "  ".join(f"{name} {value:.3f}" for name, value in (logs or {}).items())
        self._report(f"epoch {epoch + 1}/{self._epochs}  {figures}  {left:.0f} min left")


def read_history(path: Path) -> list[dict[str, float]]:
    """Return the rows of a history CSV, oldest first; none when there is no file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
