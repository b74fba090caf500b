"""Several data sets as one: a folder with a manifest of them all, and a link to each."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.faces import FOUND
from training.files import WriteFailed, replacing
from training.levels import name_clips
from training.manifest import COLLECTIONS, LABELS, ManifestError, Sample, read_manifest

FACES = "faces.csv"
COLUMNS = ("path", "label", "method", "source", "group", "split", "weight", "clip", "original")


@dataclass(frozen=True, slots=True)
class FaceSet:
    """A manifest and the folder that its paths start from."""

    manifest: Path
    root: Path


def join_sets(sets: Sequence[FaceSet], folder: Path) -> FaceSet:
    """Return one data set that holds several.

    A path then begins with the name of the folder that it started from, wherever that lies, so the same sets give
    the same manifest on every machine. Groups of one name are one group across the sets, as a person may be in
    several. What the sets know of faces and of their sources is joined too.

    Args:
        sets: one at least; one alone is returned as it is.
        folder: made where there are several; receives `faces.csv`, what else is known, and a link to each root.

    Raises:
        ManifestError: a manifest or what lies beside it cannot be read, or two say different things of one source.
        WriteFailed: the folder cannot be written to.
    """
    if len(sets) == 1:
        return sets[0]
    names = _name_roots(sets)
    rows, found = io.StringIO(), io.StringIO()
    faces_writer, found_writer = (csv.writer(text, lineterminator="\n") for text in (rows, found))
    faces_writer.writerow(COLUMNS)
    for each, name in zip(sets, names, strict=True):
        samples = read_manifest(each.manifest)
        clips, _ = name_clips(samples, each.manifest)
        faces_writer.writerows(_to_row(sample, clips.get(sample.path, ""), name) for sample in samples)
        found_writer.writerows([f"{name}/{path}", *rest] for path, *rest in _read_found(each))
    sources = _join_sources([each.manifest for each in sets])
    folder.mkdir(parents=True, exist_ok=True)
    for each, name in zip(sets, names, strict=True):
        _link(folder / name, each.root.resolve())
    _write(folder / FACES, rows.getvalue())
    _write(folder / FOUND, found.getvalue())
    _write(folder / COLLECTIONS, json.dumps(sources, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
    return FaceSet(folder / FACES, folder)


def read_sources(manifest: Path) -> dict[str, dict[str, Any]]:
    """Return what `collections.json` beside a manifest says of its sources; nothing where there is none.

    Raises:
        ManifestError: it is damaged.
    """
    path = manifest.with_name(COLLECTIONS)
    if not path.is_file():
        return {}
    try:
        sources = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): dict(entry) for name, entry in sources.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ManifestError(f"{path} is damaged ({error}); build the data set again, or delete the file.") from error


def _name_roots(sets: Sequence[FaceSet]) -> list[str]:
    """Return a name for each root: its folder's, with a number where another is called so; one root has one name."""
    names: dict[Path, str] = {}
    for each in sets:
        root = each.root.resolve()
        plain = re.sub(r"[^A-Za-z0-9._-]+", "_", root.name).strip("._") or "data"
        taken = set(names.values()) | {FACES, FOUND, COLLECTIONS}
        if root not in names:
            numbered = (plain, *(f"{plain}-{number}" for number in range(2, len(sets) + 3)))
            names[root] = next(name for name in numbered if name not in taken)
    return [names[each.root.resolve()] for each in sets]


def _to_row(sample: Sample, clip: str, name: str) -> list[Any]:
    path = f"{name}/{sample.path}"
    label = next(word for word, number in LABELS.items() if number == sample.label)
    # A picture that is its own group is named after its path.
    group = path if sample.group == sample.path else sample.group
    clip, original = (there and f"{name}/{there}" for there in (clip, sample.original))
    return [path, label, sample.method, sample.source, group, sample.split, sample.weight, clip, original]


def _read_found(each: FaceSet) -> list[list[str]]:
    """Return the rows of the list of faces beside a manifest, where its paths start from there too."""
    path = each.manifest.with_name(FOUND)
    if each.root.resolve() != each.manifest.parent.resolve() or not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.reader(file) if row]


def _join_sources(manifests: Sequence[Path]) -> dict[str, dict[str, Any]]:
    joined: dict[str, dict[str, Any]] = {}
    for manifest in manifests:
        for source, entry in read_sources(manifest).items():
            # How many faces lie in which part is known of the joined manifest better.
            said = _without_counts(entry)
            if joined.setdefault(source, said) != said:
                raise ManifestError(
                    f"{manifest.with_name(COLLECTIONS)} and another data set say different things of the source "
                    f"{source}; rename one of the two collections and build its data set again."
                )
    return joined


def _without_counts(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name != "faces"}


def _link(link: Path, root: Path) -> None:
    try:
        if link.is_symlink():
            if link.resolve() == root:
                return
            link.unlink()
        link.symlink_to(root, target_is_directory=True)
    except OSError as error:
        raise WriteFailed(f"{link} could not be made a link to {root} ({error}). Give another --out.") from error


def _write(path: Path, text: str) -> None:
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
