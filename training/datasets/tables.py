"""The CSV files of a data set."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from training.datasets.clips import DatasetError, Listing
from training.datasets.extraction import Extraction, write_whole
from training.datasets.members import Dropped, Member
from training.splits import PARTS

FACES = "faces.csv"
# In the form that training/faces.py remembers where faces are, so that no training searches for them again.
FACES_FOUND = "faces_found.csv"
CLIPS = "clips.csv"
DROPPED = "dropped.csv"
# Which part every face was ever dealt to, so that it stays there when files are added.
DEALT = "dealt.csv"

COLUMNS = [
    *("path", "label", "method", "source", "group", "side", "split", "weight"),
    *("file", "clip", "frame", "time", "confidence", "box", "landmarks", "phash", "official"),
]
DEALT_COLUMNS = ["path", "sha256", "part"]
CLIP_COLUMNS = ["path", "label", "method", "source", "group", "official", "kind", "status", "frames", "faces", "reason"]


def write_faces(members: Sequence[Member], out: Path, *, weighted: bool) -> None:
    """Write `faces.csv`, and where each face lies into `faces_found.csv`.

    Raises:
        WriteFailed: they cannot be written.
    """
    columns = [column for column in COLUMNS if weighted or column != "weight"]
    rows = ([row[column] for column in columns] for row in map(_to_row, members))
    _write(out / FACES, columns, rows)
    found = ([m.sample.path, json.dumps(m.face.box), json.dumps(m.face.landmarks)] for m in members)
    _write(out / FACES_FOUND, None, found)


def _to_row(member: Member) -> dict[str, Any]:
    sample, face = member.sample, member.face
    return {
        "path": sample.path,
        "label": _name(sample.label),
        "method": sample.method,
        "source": sample.source,
        "group": sample.group,
        "side": face.side,
        "split": sample.split,
        "weight": member.weight,
        "file": member.clip.path,
        # A photo is no frame of a clip: an evaluation judges those of one clip together.
        "clip": member.clip.path if member.clip.is_video else "",
        "frame": face.frame,
        "time": face.time,
        "confidence": face.confidence,
        "box": json.dumps(face.box),
        "landmarks": json.dumps(face.landmarks),
        "phash": face.hashes[0],
        "official": member.clip.official,
    }


def write_clips(listing: Listing, groups: Mapping[str, str], extractions: Mapping[str, Extraction], out: Path) -> None:
    """Write `clips.csv`: a row for every file of the input, also for those that are not used, with the reason.

    Raises:
        WriteFailed: it cannot be written.
    """
    rows: list[list[Any]] = []
    for clip in listing.clips:
        done = extractions[clip.path]
        known = [clip.path, _name(clip.label), clip.method, clip.source, groups[clip.path], clip.official]
        kind = "video" if clip.is_video else "photo"
        rows.append([*known, kind, done.status, done.frames, len(done.faces), done.reason])
    for path, reason in sorted(listing.left_out.items()):
        rows.append([path, "", "", "", "", "", "", "left_out", 0, 0, reason])
    _write(out / CLIPS, CLIP_COLUMNS, rows)


def write_dropped(dropped: Sequence[Dropped], out: Path) -> None:
    """Write `dropped.csv`: the pictures that lie there and are not in `faces.csv`, and why.

    Raises:
        WriteFailed: it cannot be written.
    """
    _write(out / DROPPED, ["path", "reason", "twin"], ([d.path, d.reason, d.twin] for d in dropped))


def read_dealt(out: Path) -> dict[str, dict[str, str]]:
    """Return the rows of `dealt.csv` by path: path, sha256 and part of every face that was ever dealt.

    Raises:
        DatasetError: the file is damaged.
    """
    path = out / DEALT
    if not path.is_file():
        return {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = {row["path"]: {name: row[name] for name in DEALT_COLUMNS} for row in csv.DictReader(file)}
    except (OSError, UnicodeDecodeError, KeyError, csv.Error) as error:
        raise DatasetError(f"{path} is damaged; delete it to deal all faces anew.") from error
    if any(row["part"] not in PARTS for row in rows.values()):
        raise DatasetError(f"{path} names a part that is none; delete it to deal all faces anew.")
    return rows


def write_dealt(rows: Mapping[str, Mapping[str, str]], out: Path) -> None:
    """Write `dealt.csv`, sorted by path.

    Raises:
        WriteFailed: it cannot be written.
    """
    _write(out / DEALT, DEALT_COLUMNS, ([rows[path][name] for name in DEALT_COLUMNS] for path in sorted(rows)))


def _write(path: Path, columns: Sequence[str] | None, rows: Iterable[Sequence[Any]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if columns is not None:
        writer.writerow(columns)
    writer.writerows(rows)
    write_whole(path, text.getvalue().encode())


def _name(label: int) -> str:
    return "fake" if label else "real"
