"""What a data set's folder remembers, so that a second call does only what is missing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from training.datasets.clips import Clip, DatasetError
from training.datasets.extraction import Extraction, SavedFace, write_whole
from training.datasets.plan import Plan
from training.files import WriteFailed

METADATA = "metadata.json"
JOURNAL = "extracted.jsonl"


def open_folder(out: Path, plan: Plan, given: Mapping[str, str]) -> None:
    """Make the folder of a data set, or make sure that it holds this very one.

    Args:
        out: the folder.
        plan: how the data set is made.
        given: what else must stay the same: the input, the root, the finder.

    Raises:
        DatasetError: it holds something else, or a data set made otherwise.
        WriteFailed: it cannot be written to.
    """
    metadata = out / METADATA
    if metadata.is_file():
        _require_same(metadata, plan, given)
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DatasetError(f"{out} exists and holds no data set of ours; give another --out.")
    else:
        write_json(metadata, {"plan": plan.to_dict(), "given": dict(given), "finished": False})


def _require_same(metadata: Path, plan: Plan, given: Mapping[str, str]) -> None:
    try:
        recorded = json.loads(metadata.read_text(encoding="utf-8"))
        differences = plan.differences(recorded["plan"])
        differences += [
            f"{name} was {recorded['given'].get(name)!r} and is {value!r}"
            for name, value in given.items()
            if recorded["given"].get(name) != value
        ]
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise DatasetError(f"{metadata} is not one of ours or is damaged; give another --out.") from error
    if differences:
        raise DatasetError(
            f"{metadata.parent} holds a data set that was made otherwise: {'; '.join(differences)}. "
            "Give another --out, or the settings of then."
        )


class Journal:
    """The clips that are done, a line of JSON each, appended as they come.

    Args:
        out: folder of the data set.
        root: the folder that the clips' paths start from.
    """

    def __init__(self, out: Path, root: Path) -> None:
        self._path = out / JOURNAL
        self._out = out
        self._root = root

    def read(self, clips: Sequence[Clip]) -> dict[str, Extraction]:
        """Return what is known of these clips, by path.

        A clip counts as done while its file has the size and time of then, its label and source are the same,
        and its pictures are there. A line that an interruption cut short is dropped from the file too.
        """
        wanted = {clip.path: clip for clip in clips}
        known: dict[str, Extraction] = {}
        for line in self._read_lines():
            try:
                entry = json.loads(line)
                stamp, extraction = entry["stamp"], _from_dict(entry["extraction"])
            except (ValueError, LookupError, TypeError) as error:
                raise DatasetError(f"{self._path} is damaged; delete it to begin again.") from error
            clip = wanted.get(extraction.clip)
            if clip is None or stamp != self._stamp(clip):
                known.pop(extraction.clip, None)
            elif all((self._out / face.path).is_file() for face in extraction.faces):
                known[extraction.clip] = extraction
        return known

    def append(self, clip: Clip, extraction: Extraction) -> None:
        """Remember that a clip is done.

        Raises:
            WriteFailed: it cannot be written down.
        """
        line = json.dumps({"stamp": self._stamp(clip), "extraction": asdict(extraction)})
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise WriteFailed(
                f"{self._path.name} could not be written ({error}). Make room and give the same command again."
            ) from error

    def _read_lines(self) -> list[str]:
        if not self._path.exists():
            return []
        text = self._path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            write_whole(self._path, whole.encode())
        return whole.splitlines()

    def _stamp(self, clip: Clip) -> list[Any]:
        try:
            status = (self._root / clip.path).stat()
        except OSError:
            return [clip.label, clip.source]
        return [clip.label, clip.source, status.st_size, status.st_mtime_ns]


def write_json(path: Path, data: Any) -> None:
    """Write a JSON file whole or not at all.

    Raises:
        WriteFailed: it cannot be written.
    """
    write_whole(path, (json.dumps(data, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode())


def _from_dict(entry: dict[str, Any]) -> Extraction:
    faces = tuple(
        SavedFace(
            **{
                **face,
                "box": tuple(face["box"]),
                "landmarks": tuple(map(tuple, face["landmarks"])),
                "hashes": tuple(face["hashes"]),
            }
        )
        for face in entry["faces"]
    )
    return Extraction(**{**entry, "faces": faces})
