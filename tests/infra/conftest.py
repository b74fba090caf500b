"""One package for all tests of this folder."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from infra import package as program
from infra.package import build, find_templates, is_current

KEPT = Path(__file__).parents[2] / "build" / "tests" / "package"


@pytest.fixture(scope="session")
def packaged() -> Path:
    """The folder of a package made from what lies here: that of `make package` if it is, else one that tests keep."""
    merge = find_templates()
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    # Processes of one run of the tests wait for the one that builds.
    with (KEPT.parent / "package.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for folder in (program.OUT, KEPT):
            if is_current(folder, "dev", merge):
                return folder
        build("dev", merge, KEPT)
        return KEPT
