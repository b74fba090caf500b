"""What wheels bring along that the service never uses in Lambda, and how it is thrown out.

Only what is certain goes: a whole file that no request can reach. What is left is proved by running it
(`tests/infra/test_package.py`), for every kind of picture and for a clip.
"""

from __future__ import annotations

import shutil
import subprocess
from fnmatch import fnmatch
from pathlib import Path

# Patterns of paths below the package, in which * crosses folders. None of them may match a licence.
BALLAST = (
    # Tests, and the extensions that only tests load.
    *("*/tests/*", "numpy/testing/*", "numpy/conftest.py", "numpy/_core/_simd.*", "numpy/_core/*_tests.*"),
    # For whoever compiles against numpy, or writes code with it.
    *("numpy/f2py/*", "numpy/distutils/*", "numpy/_pyinstaller/*", "numpy/_core/include/*", "numpy/_core/lib/*"),
    *("numpy/random/lib/*", "numpy/random/_examples/*", "*.pxd", "*.pyx", "*.pyi", "*/py.typed"),
    # Finders of faces that are not ours, and a graph engine whose Python part alone is large.
    *("cv2/data/*.xml", "cv2/gapi/*", "cv2/typing/*"),
    # Pillow draws no text, converts no colour profiles and shows no windows here; these are what that took.
    *("PIL/_imagingft.*", "PIL/_imagingcms.*", "PIL/_imagingtk.*"),
    *(f"pillow.libs/lib{name}*" for name in ("freetype", "harfbuzz", "brotli", "png16", "lcms2")),
    # Operators for language models, and a reader of models that only tools of LiteRT use.
    *("ai_edge_litert/pywrap_genai_ops.so", "ai_edge_litert/schema_py_generated.py", "flatbuffers*"),
    # What pip wants to know of a wheel. METADATA stays: it says which version this is.
    *(f"*.dist-info/{name}" for name in ("RECORD", "WHEEL", "entry_points.txt", "top_level.txt", "zip-safe")),
    # Made anew, for this Python and without the time of day.
    "*/__pycache__/*",
)


def drop(tree: Path) -> None:
    """Delete the ballast below a folder, and folders that are empty then."""
    for path in sorted(tree.rglob("*"), reverse=True):
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif any(fnmatch(path.relative_to(tree).as_posix(), pattern) for pattern in BALLAST):
            path.unlink()


def strip(tree: Path) -> bool:
    """Take the symbols that no loader reads out of all libraries below a folder.

    Returns:
        Whether that was done: not where binutils are missing, which costs some 7 % in size and nothing else.
    """
    program = shutil.which("strip")
    libraries = sorted(path for path in tree.rglob("*.so*") if path.is_file())
    if program is None or not libraries:
        return False
    subprocess.run([program, "--strip-unneeded", *libraries], check=True)  # noqa: S603 - our own list
    return True
