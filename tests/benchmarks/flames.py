"""Where the time of a check goes, as a picture: a flame graph, by py-spy."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.peers import Missing
from tests.benchmarks.whole import environment

CHECKS = 400
# Samples a second.
RATE = 500
TITLE = f"{CHECKS} checks of a picture, one face; width is time"
PROGRAM = f"""
import sys
from pathlib import Path
from chalicelib.checks import Checker
from chalicelib.settings import Settings
checker = Checker.from_settings(Settings(), remember=False)
photo = Path(sys.argv[1]).read_bytes()
for _ in range({CHECKS}):
    checker.check_image(photo)
"""


def draw(out: Path, photo: bytes, folder: Path) -> None:
    """Check a photo over and over in a process of its own, and draw where its time goes.

    Args:
        out: the SVG.
        photo: what is checked.
        folder: for what is written meanwhile.

    Raises:
        Missing: there is no py-spy, or the machine does not let it look.
    """
    program = shutil.which("py-spy", path=str(Path(sys.executable).parent))
    if program is None:
        raise Missing('py-spy is missing: pip install -e ".[peers]"')
    picture = folder / "flames.jpg"
    picture.write_bytes(photo)
    out.parent.mkdir(parents=True, exist_ok=True)
    looks = [program, "record", "--function", "--rate", str(RATE), "--output", str(out), "--"]
    told = subprocess.run(
        [*looks, sys.executable, "-c", PROGRAM, str(picture)],
        env=environment(folder),
        capture_output=True,
        text=True,
    )
    if told.returncode:
        raise Missing(f"py-spy cannot look here: {told.stderr.strip().splitlines()[-1]}")
    # It writes its own command line above, with the paths of this machine.
    drawn = out.read_text(encoding="utf-8")
    out.write_text(re.sub(r'(<text id="title"[^>]*>)[^<]*', rf"\g<1>{TITLE}", drawn), encoding="utf-8")
