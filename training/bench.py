"""The bench that models are tried on: some pictures, the faces in them, and a memory of what each model said.

Everything that takes long is kept in a folder, by hashes of the model and of the data, so that a second call goes on
where the first was stopped, and adding a model costs no more than that model.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from chalicelib.checks import Scores
from chalicelib.settings import Settings
from training.degradations import DegradationError, degradations
from training.files import replacing
from training.levels import name_clips
from training.manifest import Sample, read_manifest
from training.probes import ProbeError, probe, score_covered
from training.progress import every
from training.scoring import Found, find_faces, score_faces
from training.splits import split_by_group

CLEAN = "clean"
# Pictures of the degradation grid, which multiplies the work by their number.
GRID_PICTURES = 400
# Degradations whose cost is told row by row of the table, which takes more pictures.
TOLD_BY_ROW = ("JPEG 50", "half size", "1,080 px, JPEG 75")
TOLD_PICTURES = 2000
# Raised when what is remembered would no longer be what is computed.
VERSION = 2
# Settings that change what is found in a picture or what its verdict is.
LIMITS = ("max_bytes", "max_pixels", "min_side", "max_aspect", "search_side", "max_faces", "min_face")
SECONDS = 5.0


class BenchError(ValueError):
    """The pictures cannot be used for what is asked; the message names the cure."""


@dataclass(slots=True)
class Bench:
    """Pictures to try models on.

    Attributes:
        samples: the pictures.
        root: the folder that their paths start from.
        settings: limits, and where the finder's networks lie.
        manifest: the CSV that they come from.
        part: "all", "train", "validation" or "test".
        seed: of the split and of every draw.
        clips: the clip of each path that is a frame of one.
        clip_rule: how the clips were told, in words.
        cache: the folder that remembers; None to remember nothing.
        report: receives lines for a person.
    """

    samples: Sequence[Sample]
    root: Path
    settings: Settings
    manifest: Path
    part: str = "all"
    seed: int = 0
    clips: Mapping[str, str] = field(default_factory=dict)
    clip_rule: str = ""
    cache: Path | None = None
    report: Callable[[str], None] = lambda line: None
    _faces: dict[str, dict[str, Found]] = field(default_factory=dict)
    _digest: str = ""

    @classmethod
    def open(
        cls,
        manifest: Path,
        root: Path,
        settings: Settings,
        *,
        part: str = "all",
        seed: int = 0,
        limit: int | None = None,
        cache: Path | None = None,
        report: Callable[[str], None] = lambda line: None,
    ) -> Bench:
        """Read a manifest and take a part of it.

        Args:
            manifest: the CSV.
            root: the folder that its paths start from.
            settings: limits, and where the finder's networks lie.
            part: "all", "train", "validation" or "test".
            seed: of the split.
            limit: at most so many pictures, evenly from every source, label and method.
            cache: the folder that remembers; None to remember nothing.
            report: receives lines for a person.

        Raises:
            ManifestError: the manifest cannot be read, or puts a group in two parts.
            BenchError: it names no picture.
        """
        samples = read_manifest(manifest)
        # Asked even where all parts are taken: a group in two parts must be said before figures are believed.
        parts = split_by_group(samples, seed) if part != "all" or any(s.split for s in samples) else {}
        if part != "all":
            samples = parts[part]
        if not samples:
            raise BenchError(f"{manifest} names no picture" + (f" of the {part} part." if part != "all" else "."))
        if limit is not None:
            samples = thin(samples, limit)
        clips, rule = name_clips(samples, manifest)
        return cls(samples, root, settings, manifest, part, seed, clips, rule, cache, report)

    def widen(self, families: Sequence[str]) -> Bench | None:
        """Return a bench of the other parts' fakes of some families; None where there is none.

        A model that none of them was shown may be tried on all of them. The other parts' real pictures stay out:
        those it may know.

        Args:
            families: sources or methods.
        """
        here = {sample.path for sample in self.samples}
        others = [
            sample
            for sample in read_manifest(self.manifest)
            if sample.label and {sample.source, sample.method} & set(families) and sample.path not in here
        ]
        if self.part == "all" or not others:
            return None
        clips, rule = name_clips(others, self.manifest)
        return replace(self, samples=others, clips=clips, clip_rule=rule, _faces={}, _digest="")

    def digest(self) -> str:
        """Return a hash of the pictures, of what is said of them and of the limits under which they are checked."""
        if not self._digest:
            limits = {name: getattr(self.settings, name) for name in LIMITS}
            digest = hashlib.sha256(json.dumps([VERSION, limits, self.seed]).encode())
            for name in ("pnet", "rnet", "onet"):
                digest.update((self.settings.models / f"{name}.tflite").read_bytes())
            for sample in self.samples:
                path = self.root / sample.path
                size = path.stat().st_size if path.is_file() else -1
                digest.update(json.dumps([asdict(sample), self.clips.get(sample.path), size]).encode())
            self._digest = digest.hexdigest()
        return self._digest

    def notes(self, *names: str) -> Path | None:
        """Return the file that remembers something of these pictures."""
        if self.cache is None:
            return None
        return self.cache / ("-".join([*names, self.digest()[:16]]).replace(" ", "_") + ".json")

    def recall(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return what is remembered under a name, or make and remember it."""
        path = self.notes(name)
        if path is not None and path.is_file():
            try:
                return dict(json.loads(path.read_text(encoding="utf-8")))
            except ValueError:
                self.report(f"{path.name} is damaged and is made anew")
        made = make()
        if path is not None:
            with replacing(path) as unfinished:
                unfinished.write_text(json.dumps(made), encoding="utf-8")
        return made

    def grid(self) -> list[Sample]:
        """Return the pictures of the degradation grid."""
        return thin(self.samples, GRID_PICTURES)

    def faces(self, harm: str = CLEAN) -> dict[str, Found]:
        """Return the faces of every picture, or of some pictures after a degradation.

        Raises:
            DegradationError: it cannot be made here.
        """
        if harm not in self._faces:
            self._faces[harm] = find_faces(
                self._pictures(harm),
                self.root,
                self.settings,
                alter=degradations().get(harm),
                notes=self.notes("faces", harm),
                progress=every(SECONDS, f"faces searched ({harm})", self.report),
            )
        return self._faces[harm]

    def score(self, title: str, model: Scores, digest: str, harm: str = CLEAN) -> list[dict[str, Any]]:
        """Return a row a picture; see `score_faces`.

        Args:
            title: of the model, for the progress.
            model: scores crops.
            digest: hash of the model's files.
            harm: a degradation, or `CLEAN`.
        """
        return score_faces(
            self._pictures(harm),
            self.root,
            self.faces(harm),
            model,
            self.settings,
            clips=self.clips,
            alter=degradations().get(harm),
            notes=self.notes("scores", digest[:16], harm),
            progress=every(SECONDS, f"scored by {title} ({harm})", self.report),
        )

    def score_covered(self, title: str, model: Scores, digest: str) -> dict[str, Any]:
        """Return how a model does on the grid's pictures with their faces covered."""
        tell = every(SECONDS, f"scored by {title} (face covered)", self.report)
        return self.recall(
            f"covered-{digest[:16]}",
            lambda: score_covered(self.grid(), self.root, self.faces(), model, self.settings, tell),
        )

    def probe(self) -> dict[str, Any]:
        """Return what the probes find, or under `skipped` why they cannot be tried."""
        tell = every(SECONDS, "probed", self.report)
        try:
            return self.recall(
                "probes",
                lambda: probe(self.samples, self.root, self.faces(), self.settings, seed=self.seed, progress=tell),
            )
        except ProbeError as error:
            return {"skipped": str(error)}

    def find_harms(self) -> tuple[dict[str, str], list[str]]:
        """Return the degradations that cannot be made here, with the reason, and the names of the others."""
        missing: dict[str, str] = {}
        for harm in degradations():
            try:
                self.faces(harm)
            except DegradationError as error:
                missing[harm] = str(error)
                self.report(f"{harm} is left out: {error}")
        return missing, [harm for harm in degradations() if harm not in missing]

    def _pictures(self, harm: str) -> Sequence[Sample]:
        if harm == CLEAN:
            return self.samples
        return thin(self.samples, TOLD_PICTURES) if harm in TOLD_BY_ROW else self.grid()


def thin(samples: Sequence[Sample], most: int) -> list[Sample]:
    """Return at most so many samples, evenly from every source, label and method, in the manifest's order.

    Within each, those whose hashed paths come first: as good as drawn, and the same everywhere.
    """
    if len(samples) <= most:
        return list(samples)
    strata: dict[tuple[str, int, str], list[Sample]] = defaultdict(list)
    for sample in samples:
        strata[sample.source, sample.label, sample.method].append(sample)
    for members in strata.values():
        members.sort(key=lambda sample: hashlib.sha256(sample.path.encode()).digest())
    ranked = sorted((place, name) for name, members in strata.items() for place in range(len(members)))
    kept = {strata[name][place].path for place, name in ranked[:most]}
    return [sample for sample in samples if sample.path in kept]


def write_csv(path: Path, rows: Sequence[Sequence[Any]]) -> None:
    """Write rows as CSV, whole or not at all."""
    with replacing(path) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
