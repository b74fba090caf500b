"""A Keras network in the place of the served detector, so that both go the same way to a verdict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from chalicelib.compatibility import upgrade_record
from chalicelib.detector import normalise
from chalicelib.errors import ModelUnavailable
from chalicelib.face_views import ViewRule
from chalicelib.verdicts import Calibrations

CARD = "card.json"
# Crops that are scored at once, whatever is asked for: what they take in memory.
MOST_AT_ONCE = 32
# What the card of a run does not state, since only a release does.
UNSTATED = {
    "covers": [],
    "limits": ["This network has not been released: what it covers is what it was trained on."],
    "terms": "Those of the pictures that it was trained on.",
}


class KerasDetector:
    """Scores crops with a float network.

    Attributes:
        side: input side, px.
        card: of the run that made the network where `card.json` lies beside it, of the served model otherwise;
            `evidence` tells whether the network makes maps.
        calibration: as in the card.
        views: as in the card.
    """

    def __init__(self, network: Path, models: Path) -> None:
        """Load a .keras file.

        Args:
            network: the file.
            models: folder of the served models, whose card counts where the network has none of its own.

        Raises:
            ModelUnavailable: the network or its card is missing or damaged.
        """
        from training.networks.loading import load_network
        from training.networks.student import add_evidence

        try:
            loaded = load_network(network)
        except ValueError as error:
            raise ModelUnavailable(f"{network.name} is missing or is no network of ours.") from error
        self.card = _read_card(network, models)
        self.calibration = Calibrations.from_card(self.card)
        self.views = ViewRule.from_card(self.card)
        self.side = int(loaded.input_shape[1])
        self._mapped = any(layer.name == "evidence" for layer in loaded.layers)
        self.card["evidence"] = self._mapped
        self._network = add_evidence(loaded) if self._mapped else loaded

    def score(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Score face crops.

        Args:
            crops: uint8 RGB [N, S, S, 3], N ≥ 0.

        Returns:
            Logits, float32 [N], positive for fake; and maps, float32 [N, h, w]. A network without maps gives one
            place of nought: it cannot tell where.

        Raises:
            ModelUnavailable: the network answers with something that is no number.
        """
        if not len(crops):
            return np.zeros(0, np.float32), np.zeros((0, 1, 1), np.float32)
        # Compiled, which calling the network is not; and without the feeder that `predict` builds for each call.
        parts = [crops[first : first + MOST_AT_ONCE] for first in range(0, len(crops), MOST_AT_ONCE)]
        answers = [self._network.predict_on_batch(normalise(part)) for part in parts]
        if self._mapped:
            logits = np.concatenate([answer[0] for answer in answers])
            maps = np.concatenate([answer[1][..., 0] for answer in answers])
        else:
            logits = np.concatenate(answers)
            maps = np.zeros((len(crops), 1, 1), np.float32)
        if not (np.isfinite(logits).all() and np.isfinite(maps).all()):
            raise ModelUnavailable("The model gave no usable score.")
        return logits[:, 0], maps


def _read_card(network: Path, models: Path) -> dict[str, Any]:
    """Return the card beside the network, or the served one under the network's name."""
    own = network.with_name(CARD)
    path = own if own.is_file() else models / "model_card.json"
    try:
        card = upgrade_record(json.loads(path.read_text(encoding="utf-8")))
        if path != own:
            return {**card, "name": f"{network.stem} (float)"}
        return {**UNSTATED, "metrics": card.get("validation", {}), "version": "unreleased", **card}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ModelUnavailable(f"The card {path.name} of {network.name} is missing or damaged.") from error
