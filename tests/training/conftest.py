"""What several tests of the lab need."""

from __future__ import annotations

from pathlib import Path

import pytest

from chalicelib.settings import Settings
from training.faces import LocatedFace, locate_faces
from training.manifest import read_manifest


@pytest.fixture(scope="session")
def faces(collection: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, LocatedFace]:
    """The face of each picture of the collection."""
    cache = tmp_path_factory.mktemp("faces") / "faces_found.csv"
    return locate_faces(read_manifest(collection / "faces.csv"), collection, cache, Settings())
