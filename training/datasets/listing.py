"""From what the user points at to labelled clips: a CSV, or a folder of a layout that we know."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from training.datasets import celeb_df, collection, dfdc, faceforensics, folders
from training.datasets.clips import Clip, DatasetError, Listing, ReadText, is_media, walk_files
from training.manifest import read_manifest

Matches = Callable[[Sequence[str], ReadText], bool]
Parse = Callable[[Sequence[str], ReadText], Listing]

# The most particular first: a known collection may well lie below a folder called real.
LAYOUTS: dict[str, tuple[Matches, Parse]] = {
    collection.NAME: (collection.matches, collection.parse),
    faceforensics.NAME: (faceforensics.matches, faceforensics.parse),
    celeb_df.NAME: (celeb_df.matches, celeb_df.parse),
    dfdc.NAME: (dfdc.matches, dfdc.parse),
    folders.NAME: (folders.matches, folders.parse),
    folders.FLAT_NAME: (folders.matches_flat, folders.parse_flat),
}
CSV = "csv"


def list_clips(source: Path, root: Path, out: Path, layout: str = "auto", group_by: str = "clip") -> Listing:
    """List what lies in a folder or stands in a CSV.

    Args:
        source: the folder or the CSV.
        root: the folder that the paths start from; `source` itself where that is a folder.
        out: the folder of the data set, which is never read from.
        layout: one of `LAYOUTS`, or "auto" to recognise it.
        group_by: see `folders.parse`; the other layouts know whom a clip shows.

    Raises:
        DatasetError: the layout is not recognised, nothing is there, or a row of the CSV names no file.
        ManifestError: the CSV cannot be read.
    """
    if source.is_file():
        return _read_csv(source, root)
    paths, unnamable = _sift_names(walk_files(root, out))
    if not any(map(is_media, paths)):
        raise DatasetError(f"The folder {source} holds no pictures and no videos.")
    read = partial(_read_text, root)
    if layout == "auto":
        layout = next((name for name, (matches, _) in LAYOUTS.items() if matches(paths, read)), "")
    if not layout:
        raise DatasetError(
            f"The folder {source} is of no layout that is known. Sort the files into real/ and fake/, begin their "
            "names with real_ or fake_, list them in a CSV with the columns path and label, or describe each "
            "collection in a collection.toml."
        )
    parse = LAYOUTS[layout][1]
    if layout == folders.NAME:
        parse = partial(folders.parse, group_by=group_by)
    listing = parse(paths, read)
    if not listing.clips:
        raise DatasetError(f"The folder {source} holds nothing that the layout {layout} can use.")
    listing.left_out.update(unnamable)
    return listing


def _sift_names(paths: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Part the names that a CSV can hold from those that it cannot."""
    good, bad = [], {}
    for path in paths:
        told = path.encode("utf-8", "replace").decode()
        if told == path:
            good.append(path)
        elif is_media(path):
            bad[told] = "its name is not UTF-8"
    return good, bad


def _read_csv(source: Path, root: Path) -> Listing:
    samples = read_manifest(source)
    missing = [sample.path for sample in samples if not (root / sample.path).is_file()]
    if missing:
        raise DatasetError(
            f"{len(missing)} of {len(samples)} rows of {source} name no file below {root}, the first: {missing[0]}. "
            "Mend the rows, or give the folder that the paths start from with --root."
        )
    return Listing(CSV, [Clip(s.path, s.label, s.source, s.method, (s.group,), s.split) for s in samples])


def _read_text(root: Path, path: str) -> str:
    try:
        return (root / path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{root / path} is not UTF-8 ({error}); save it as UTF-8.") from error
    except OSError as error:
        raise DatasetError(f"{root / path} cannot be read: {error}") from error
