"""A data set from end to end: files in, labelled, grouped and split faces out; gone on with where it stopped."""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from chalicelib.settings import Settings
from training.datasets import page, pictures, tables
from training.datasets.clips import Clip, DatasetError, Listing, require_both_labels
from training.datasets.extraction import Extraction, Extractor, SavedFace, write_whole
from training.datasets.groups import group_clips
from training.datasets.journal import METADATA, Journal, open_folder, write_json
from training.datasets.listing import list_clips
from training.datasets.members import NEAR_DUPLICATE, Dropped, Member, balance, gather, split, thin
from training.datasets.pace import Pace
from training.datasets.persons import find_persons, require_installed
from training.datasets.plan import Plan
from training.datasets.pool import Crashed, Pool
from training.datasets.summary import LABELS, list_provenance, summarise
from training.files import WriteFailed
from training.manifest import COLLECTIONS, Sample, read_manifest
from training.splits import deal_groups, split_by_group

# What decides how a face is found and how it is written.
LIBRARIES = ("unmask", "numpy", "opencv-python-headless", "pillow", "ai-edge-litert", "ImageHash")
# Faces on the contact sheet of one collection.
FACES_OF_A_COLLECTION = 48
FINDER = ("pnet.tflite", "rnet.tflite", "onet.tflite")


def build(
    source: Path,
    out: Path,
    plan: Plan,
    *,
    root: Path | None = None,
    workers: int = 1,
    settings: Settings | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Build a data set, or go on where this folder stopped.

    Args:
        source: a folder of a layout that is known, or a CSV with the columns path and label.
        out: folder of the data set, made when missing: `faces/`, `faces.csv`, `faces_found.csv`, `clips.csv`,
            `dropped.csv`, `dealt.csv`, `metadata.json`, `report.json`, `report.html`, contact sheets and plots; and
            `collections.json`, where collections say what they are.
        plan: how it is made.
        root: the folder that the paths of a CSV start from; its own when None.
        workers: number of processes; 1 works in this one.
        settings: limits of decoding and models of the finder; the defaults when None.
        report: receives lines for a person.

    Returns:
        What `report.json` holds.

    Raises:
        DatasetError: the input cannot be used, or the folder holds something else.
        WriteFailed: the folder cannot be written to; what is done is kept.
        ManifestError: the CSV cannot be read, or states a split that tears a group.
        ModelUnavailable: the face finder cannot be loaded.
    """
    settings = settings or Settings()
    root = root or (source.parent if source.is_file() else source)
    listing = list_clips(source, root, out, plan.layout, plan.group_by)
    clips = listing.clips
    if plan.persons:
        require_installed()
    require_both_labels([clip.label for clip in clips], "files")
    groups = group_clips(clips)
    # A split that tears a group is refused before hours are spent.
    deal_groups([Sample(c.path, c.label, c.source, c.method, groups[c.path], c.split) for c in clips])
    report(f"{source}: layout {listing.layout}, {len(clips)} files in {len(set(groups.values()))} groups.")
    given = _describe(source, root, listing, settings)
    open_folder(out, plan, given)
    extractions = extract_all(clips, plan, settings, root, out, workers, report)
    tables.write_clips(listing, groups, extractions, out)
    _require_faces(clips, extractions, out)

    record = tables.read_dealt(out)
    found = gather(clips, extractions)
    dealt = {m.face.path: record[m.face.path]["part"] for m in found if _is_recorded(m.face, record)}
    same = find_persons(found, out, workers, report) if plan.persons else []
    members, repeats, twins = thin(found, plan.near, dealt, same)
    members = split(members, plan.seed, dealt)
    # Before the table that states the parts: a run that is cut short between the two must not deal otherwise.
    tables.write_dealt(record | _list_dealt(members, repeats, found), out)
    members, spared = balance(members, plan.balance, plan.seed)
    dropped = [*repeats, *spared]
    require_both_labels([member.sample.label for member in members], "faces that are left")
    persons = [(found[one], found[other]) for one, other in same]
    return _write(listing, extractions, members, dropped, twins, persons, plan, given, out)


def extract_all(
    clips: Sequence[Clip],
    plan: Plan,
    settings: Settings,
    root: Path,
    out: Path,
    workers: int,
    report: Callable[[str], None],
) -> dict[str, Extraction]:
    """Cut the faces out of every clip that is not done yet, and remember each as it is done.

    Returns:
        What came out of each clip, in their order.

    Raises:
        WriteFailed: the disk is full, or the folder cannot be written to; what is done is kept.
        ModelUnavailable: the face finder cannot be loaded.
    """
    journal = Journal(out, root)
    known = journal.read(clips)
    todo = [clip for clip in clips if clip.path not in known]
    if len(todo) < len(clips):
        report(f"{len(clips) - len(todo)} of {len(clips)} files are done already.")
    pace = Pace(len(clips), len(clips) - len(todo), report)
    try:
        for clip, extraction in _extract(todo, plan, settings, root, out, workers):
            journal.append(clip, extraction)
            known[clip.path] = extraction
            pace.tell(len(known))
    except WriteFailed as error:
        raise WriteFailed(f"{error} {len(known)} of {len(clips)} files are done and kept.") from error
    return {clip.path: known[clip.path] for clip in clips}


_extractor: Extractor | None = None


def _prepare(plan: Plan, settings: Settings, root: Path, out: Path) -> None:
    import cv2

    global _extractor
    cv2.setNumThreads(1)
    _extractor = Extractor(plan, settings, root, out)


def _extract_one(clip: Clip) -> Extraction:
    assert _extractor is not None  # noqa: S101 - `_prepare` was called in this process
    return _extractor.extract(clip)


def _extract(clips: Sequence[Clip], plan: Plan, settings: Settings, root: Path, out: Path, workers: int) -> Any:
    if not clips:
        return
    # Loaded here in any case, so that a missing model is one sentence and not a crash in every process.
    extractor = Extractor(plan, settings, root, out)
    if workers == 1 or len(clips) == 1:
        for clip in clips:
            yield clip, extractor.extract(clip)
        return
    pool: Pool[Clip, Extraction] = Pool(_extract_one, min(workers, len(clips)), _prepare, (plan, settings, root, out))
    for clip, result in pool.run(clips):
        crashed = Extraction(clip.path, "unreadable", reason="decoding it took the whole process down")
        yield clip, crashed if isinstance(result, Crashed) else result


def _is_recorded(face: SavedFace, record: Mapping[str, Mapping[str, str]]) -> bool:
    """Return whether this very picture was dealt before."""
    return face.path in record and record[face.path]["sha256"] == face.sha256


def _list_dealt(
    members: Sequence[Member], repeats: Sequence[Dropped], found: Sequence[Member]
) -> dict[str, dict[str, str]]:
    """Return the rows of `dealt.csv` of the faces that were split, and of those that one of them stands for."""
    hashes = {member.face.path: member.face.sha256 for member in found}
    parts = {member.face.path: member.sample.split for member in members}
    parts |= {each.path: parts[each.twin] for each in repeats if each.reason == NEAR_DUPLICATE and each.twin in parts}
    return {path: {"path": path, "sha256": hashes[path], "part": part} for path, part in parts.items()}


def _require_faces(clips: Sequence[Clip], extractions: Mapping[str, Extraction], out: Path) -> None:
    labels = [clip.label for clip in clips if extractions[clip.path].faces]
    for label, name in enumerate(LABELS):
        if label not in labels:
            count = sum(clip.label == label for clip in clips)
            raise DatasetError(
                f"No face was found in any of the {count} {name} files; {out / tables.CLIPS} says why for each."
            )


def _describe(source: Path, root: Path, listing: Listing, settings: Settings) -> dict[str, str]:
    """Return what must stay the same from call to call beside the plan."""
    models = b"".join((settings.models / name).read_bytes() for name in FINDER if (settings.models / name).is_file())
    return {
        "source": str(source.resolve()),
        "root": str(root.resolve()),
        "recognised_as": listing.layout,
        "finder_sha256": hashlib.sha256(models).hexdigest(),
        "search_side": str(settings.search_side),
    }


def _write(
    listing: Listing,
    extractions: Mapping[str, Extraction],
    members: Sequence[Member],
    dropped: Sequence[Dropped],
    twins: Sequence[tuple[Member, Member, int]],
    persons: Sequence[tuple[Member, Member]],
    plan: Plan,
    given: Mapping[str, str],
    out: Path,
) -> dict[str, Any]:
    tables.write_faces(members, out, weighted=plan.balance == "weights")
    # As training will read it: this also proves that no group lies in two parts.
    split_by_group(read_manifest(out / tables.FACES))
    tables.write_dropped(dropped, out)
    summary = summarise(listing, extractions, members, dropped, twins, persons)
    metadata = {
        "plan": plan.to_dict(),
        "given": dict(given),
        "finished": True,
        "versions": {name: importlib.metadata.version(name) for name in LIBRARIES},
        "counts": {name: summary[name] for name in ("files", "frames", "faces", "groups", "parts", "sources")},
        "data_sha256": _hash(members, out),
    }
    shown: dict[str, bytes] = {}
    for label, name in enumerate(LABELS):
        of_class = [member for member in members if member.sample.label == label]
        sheet = pictures.draw_contact_sheet(of_class, out, plan.seed)
        write_whole(out / f"contact_{name}.png", pictures.encode(sheet, ".png"))
        shown[f"{name.capitalize()} faces, drawn evenly over groups"] = pictures.encode(sheet, ".jpg")
    plots = {
        "Class balance": ("class_balance.png", pictures.draw_balance(summary)),
        "Sizes": ("sizes.png", pictures.draw_sizes(members)),
    }
    for name, plot in plots.values():
        write_whole(out / name, plot)
    shown = {**{title: plot for title, (_, plot) in plots.items()}, **shown}
    write_json(out / "report.json", summary)
    if listing.collections:
        write_json(out / COLLECTIONS, list_provenance(summary))
    sheets = _draw_collections(listing, members, plan, out)
    write_whole(out / "report.html", page.render(summary, metadata, shown, sheets).encode())
    # Last, since it says that all the rest is there.
    write_json(out / METADATA, metadata)
    return summary


def _draw_collections(listing: Listing, members: Sequence[Member], plan: Plan, out: Path) -> dict[str, bytes]:
    """Return a contact sheet of each collection that has faces, as a JPEG by its name."""
    sheets = {}
    for collection in listing.collections:
        own = [member for member in members if member.sample.source == collection.name]
        if own:
            sheet = pictures.draw_contact_sheet(own, out, plan.seed, most=FACES_OF_A_COLLECTION)
            sheets[collection.name] = pictures.encode(sheet, ".jpg")
    return sheets


def _hash(members: Sequence[Member], out: Path) -> str:
    """Return a hash over the table and every picture in it."""
    digest = hashlib.sha256((out / tables.FACES).read_bytes())
    for member in members:
        digest.update(bytes.fromhex(member.face.sha256))
    return digest.hexdigest()
