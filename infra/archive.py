"""A zip whose bytes follow from its content, what it weighs, and what Lambda takes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

# Lambda itself takes 262,144,000 bytes unpacked. A cold start grows with size, so what was reached is held to.
MOST_UNZIPPED = 222_000_000
MOST_ZIPPED = 76_000_000
# The first time that a zip can tell.
EPOCH = (1980, 1, 1, 0, 0, 0)


class TooHeavy(Exception):
    """A package is above a gate."""


@dataclass(frozen=True, slots=True)
class Weight:
    """What a zip weighs, bytes.

    Attributes:
        zipped: the file.
        unzipped: sum of what is in it.
        parts: (unzipped, zipped) by the first part of a path, largest first.
    """

    zipped: int
    unzipped: int
    parts: dict[str, tuple[int, int]]


def pack(tree: Path, archive: Path) -> None:
    """Zip all files below a folder: the same files give the same bytes, whenever and wherever."""
    with ZipFile(archive, "w", ZIP_DEFLATED) as packed:
        for path in sorted(path for path in tree.rglob("*") if path.is_file()):
            entry = ZipInfo(path.relative_to(tree).as_posix(), EPOCH)
            entry.compress_type = ZIP_DEFLATED
            # Of a Unix system, whatever this one is; Lambda runs as somebody else, who must be able to read it.
            entry.create_system = 3
            entry.external_attr = (0o100755 if ".so" in path.suffixes else 0o100644) << 16
            packed.writestr(entry, path.read_bytes())


def weigh(archive: Path) -> Weight:
    """Weigh a zip."""
    parts: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    with ZipFile(archive) as packed:
        for entry in packed.infolist():
            part = entry.filename.split("/")[0]
            unzipped, zipped = parts[part]
            parts[part] = (unzipped + entry.file_size, zipped + entry.compress_size)
    largest = dict(sorted(parts.items(), key=lambda item: (-item[1][0], item[0])))
    return Weight(archive.stat().st_size, sum(unzipped for unzipped, _ in parts.values()), largest)


def require_fit(weight: Weight, most_unzipped: int = MOST_UNZIPPED, most_zipped: int = MOST_ZIPPED) -> None:
    """Refuse what is too heavy.

    Raises:
        TooHeavy: with a sentence that says by how much, and where to look.
    """
    for what, size, most in (("unpacked", weight.unzipped, most_unzipped), ("packed", weight.zipped, most_zipped)):
        if size > most:
            raise TooHeavy(
                f"The package is {size / 1e6:.1f} MB {what}, and may be {most / 1e6:.1f} MB. "
                f"Largest in it: {', '.join(list(weight.parts)[:3])}; see infra/ballast.py."
            )


def tabulate(weight: Weight, rows: int = 10) -> str:
    """Return a table of what is heaviest, MB, in Markdown."""
    lines = ["| part | unpacked, MB | packed, MB |", "| --- | --- | --- |"]
    parts = list(weight.parts.items())
    rest = parts[rows:]
    if rest:
        parts[rows:] = [("the rest", (sum(sizes[0] for _, sizes in rest), sum(sizes[1] for _, sizes in rest)))]
    for name, (unzipped, zipped) in (*parts, ("the zip", (weight.unzipped, weight.zipped))):
        lines.append(f"| {name} | {unzipped / 1e6:.1f} | {zipped / 1e6:.1f} |")
    return "\n".join(lines)
