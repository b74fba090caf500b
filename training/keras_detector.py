"""A Keras network in the place of the served detector, so that both go the same way to a verdict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from chalicelib.detector import normalise
from chalicelib.errors import ModelUnavailable
from chalicelib.verdicts import Calibration


class KerasDetector:
    """Scores crops with a float network; calibration and card are those of the served detector.

    Attributes:
        side: input side, px.
        card: the served model card, with the name of this network.
        calibration: as in the card.
    """

    def __init__(self, network: Path, models: Path) -> None:
        """Load a .keras file.

        Raises:
            ModelUnavailable: the network or the card is missing or damaged.
        """
        import keras

        from training.networks.student import add_evidence

        try:
            self.card: dict[str, Any] = json.loads((models / "model_card.json").read_text(encoding="utf-8"))
            loaded = keras.models.load_model(network, compile=False)
            self._network = add_evidence(loaded)
        except (OSError, ValueError) as error:
            raise ModelUnavailable(f"{network.name} is missing or is no network of ours.") from error
        self.card["name"] = f"{network.stem} (float)"
        self.calibration = Calibration.from_card(self.card)
        self.side = int(loaded.input.shape[1])

    def score(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Score uint8 RGB [N, S, S, 3]; return logits float32 [N] and maps float32 [N, h, w]."""
        import keras

        # Calling the network is five times faster than `predict` for a handful of crops.
        logits, maps = self._network(normalise(crops), training=False)
        return keras.ops.convert_to_numpy(logits)[:, 0], keras.ops.convert_to_numpy(maps)[..., 0]
