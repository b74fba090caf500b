"""What wheels bring along that the service never uses in Lambda, and how it is thrown out.

Only what is certain goes: a whole file that no request can reach. What is left is proved by running it
(`tests/infra/test_package.py`), for every kind of picture and for a clip.
"""

from __future__ import annotations

import shutil
import struct
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
    # Of Powertools only the figures are used.
    *("aws_lambda_powertools/event_handler/*", "aws_lambda_powertools/utilities/[!_j]*/*"),
    # What pip wants to know of a wheel. METADATA stays: it says which version this is.
    *(f"*.dist-info/{name}" for name in ("RECORD", "WHEEL", "entry_points.txt", "top_level.txt", "zip-safe")),
    # Made anew, for this Python and without the time of day.
    "*/__pycache__/*",
)
# A part of an ELF file that is mapped into memory.
PT_LOAD = 1


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
        Whether that was done: not where binutils are missing. The package is 9 MB larger then, and above the gate.
    """
    program = shutil.which("strip")
    if program is None:
        return False
    for path in sorted(path for path in tree.rglob("*.so*") if path.is_file()):
        stripped = path.with_name(f"{path.name}.stripped")
        subprocess.run([program, "--strip-unneeded", "-o", stripped, path], check=True)  # noqa: S603 - our own list
        # `strip` moves what the makers of a wheel have moved before it, and may leave a file that cannot be loaded.
        if is_loadable(stripped):
            stripped.replace(path)
        else:
            stripped.unlink()
    return True


def is_loadable(path: Path) -> bool:
    """Tell whether every part of a library lies in its file as the loader wants to map it into memory.

    Of a program header of 64-bit ELF, https://refspecs.linuxfoundation.org/elf/gabi4+/ch5.pheader.html: offset and
    address are equal modulo the alignment.
    """
    data = path.read_bytes()
    (start,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    for number in range(count):
        kind, _, offset, address, _, _, _, alignment = struct.unpack_from("<IIQQQQQQ", data, start + number * size)
        if kind == PT_LOAD and (address - offset) % alignment:
            return False
    return True
