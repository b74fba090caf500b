"""What `--model` names: the served detector, a network that is kept, or a run's own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from chalicelib.checks import Scores
from chalicelib.detector import Detector
from chalicelib.errors import ModelUnavailable
from chalicelib.settings import Settings
from training.keras_detector import KerasDetector

FLOAT_STUDENT = Path(__file__).parent / "weights" / "student.keras"
ENSEMBLE = Path(__file__).parent / "weights" / "ensemble"
# What `--model` calls by a name of its own.
NAMED = {"float": FLOAT_STUDENT, "ensemble": ENSEMBLE}
# What a run folder calls its network, by age.
NETWORKS = ("network.keras", "student.keras")


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """Where a model lies.

    Attributes:
        network: a .keras or a .tflite file.
        card: what tells its calibration; beside the network, or the served one.
    """

    network: Path
    card: Path

    def digest(self) -> str:
        """Return a hash of both: another calibration gives other probabilities."""
        digest = hashlib.sha256()
        for path in (self.network, self.card):
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()


def find_model(name: str, settings: Settings) -> ModelFiles:
    """Return the files of what `--model` names.

    Args:
        name: "int8" (what is served), "float" (the network that it was made from), "ensemble" (the heavy
            networks, by which flagged pictures are re-scored), or a path to a .keras file, to a run folder with
            `network.keras`, or to a models folder with `detector.tflite` and `model_card.json`.
        settings: where the served models lie.

    Raises:
        ModelUnavailable: there is no such model.
    """
    served = settings.models / "model_card.json"
    if name == "int8":
        return ModelFiles(settings.models / "detector.tflite", served)
    path = NAMED.get(name) or Path(name)
    networks = [path] if path.suffix == ".keras" else [path / network for network in NETWORKS]
    for network in networks:
        if network.is_file():
            card = network.with_name("card.json")
            return ModelFiles(network, card if card.is_file() else served)
    if (path / "detector.tflite").is_file():
        return ModelFiles(path / "detector.tflite", path / "model_card.json")
    raise ModelUnavailable(
        f"There is no model {name!r}: give int8, float, ensemble, a .keras file, a run folder or a models folder."
    )


def load_model(name: str, settings: Settings) -> Scores:
    """Load what `--model` names; see `find_model`.

    Raises:
        ModelUnavailable: there is no such model, or it is damaged.
    """
    files = find_model(name, settings)
    if files.network.suffix == ".keras":
        return KerasDetector(files.network, settings.models)
    return Detector(files.network.parent, settings.threads)
