"""The most memory that each side of a row holds, in a process that does nothing else."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.peers import ENSEMBLE, STUDENT
from tests.benchmarks.photos import make_photo
from tests.benchmarks.whole import measure_memory

OURS = """
from chalicelib.checks import Checker
from chalicelib.settings import Settings
Checker.from_settings(Settings(threads=1), remember=False).check_image(photo)"""
# By the name that a peer has in the table.
THEIRS = {
    ENSEMBLE: """
from tests.benchmarks.mtcnn_peer import Peer
from tests.benchmarks.peers import DeepGuard
DeepGuard(Peer()).check(photo)""",
    STUDENT: """
from chalicelib.checks import Checker
from chalicelib.settings import Settings
from tests.benchmarks.mtcnn_peer import Peer
from training.keras_detector import KerasDetector
from training.models import FLOAT_STUDENT
settings = Settings(threads=1)
Checker(settings, Peer(), KerasDetector(FLOAT_STUDENT, settings.models), None).check_image(photo)""",
}
BEGIN = """
from pathlib import Path
photo = Path({photo!r}).read_bytes()
"""


def tell_memory(folder: Path) -> dict[str, float]:
    """Return MB by peer, and by "ours", of a process that has checked one picture of 1280 × 720 px with one face.

    Args:
        folder: for what is written meanwhile.
    """
    photo = folder / "memory.jpg"
    photo.write_bytes(make_photo())
    begin = BEGIN.format(photo=str(photo))
    return {who: measure_memory(begin + what, folder) for who, what in {"ours": OURS, **THEIRS}.items()}
