"""The probes see a cue where there is one, none where there is none, and never the face."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from chalicelib.settings import Settings
from chalicelib.verdicts import Calibration
from training import probes
from training.degradations import to_jpeg
from training.manifest import Sample
from training.probes import ProbeError, cover, describe_file, explain, probe, score_covered
from training.scoring import Found

SETTINGS = Settings()
BOX = (50.0, 40.0, 60.0, 80.0)


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cues this plain need no forest of full size."""
    monkeypatch.setattr(probes, "TREES", 25)


def make(
    root: Path, *, quality: tuple[int, int] = (90, 90), tint: int = 0, face: int = 0, count: int = 100
) -> list[Sample]:
    """Write noisy pictures, a group each; what is given differs between real and fake."""
    rng = np.random.default_rng(0)
    samples = []
    for index in range(count):
        label = index % 2
        pixels = cv2.resize(rng.normal(120, 30, (20, 20, 3)), (160, 160))
        pixels[..., 0] += tint * label
        pixels[45:115, 55:105] += face * label
        data = to_jpeg(np.clip(pixels, 0, 255).astype(np.uint8), quality[label])
        (root / f"{index}.jpg").write_bytes(data)
        samples.append(Sample(f"{index}.jpg", label, "street", "", f"person {index}"))
    return samples


def run(samples: list[Sample], root: Path) -> dict[str, dict[str, float]]:
    found = probe(samples, root, {s.path: Found((BOX,)) for s in samples}, SETTINGS)
    return {name: {state: figures["auc"] for state, figures in states.items()} for name, states in found.items()}


def test_a_cue_of_the_file_is_seen_and_augmentation_removes_it(tmp_path: Path) -> None:
    aucs = run(make(tmp_path, quality=(90, 75)), tmp_path)
    assert aucs["metadata"]["raw"] == 1
    assert abs(aucs["metadata"]["augmented"] - 0.5) < 0.17


def test_a_cue_of_the_background_is_seen_by_its_own_probe(tmp_path: Path) -> None:
    aucs = run(make(tmp_path, tint=70), tmp_path)
    assert aucs["background"]["raw"] > 0.9
    assert abs(aucs["metadata"]["augmented"] - 0.5) < 0.17


def test_what_differs_in_the_face_alone_is_seen_by_neither_view_of_the_background(tmp_path: Path) -> None:
    aucs = run(make(tmp_path, face=60), tmp_path)
    assert abs(aucs["background"]["raw"] - 0.5) < 0.17
    assert abs(aucs["background"]["augmented"] - 0.5) < 0.17


def test_pictures_without_a_face_take_no_part_and_too_few_groups_are_refused(tmp_path: Path) -> None:
    samples = make(tmp_path, count=24)
    faces = {sample.path: Found((BOX,)) for sample in samples}
    faces["0.jpg"] = Found()
    answer = probe(samples, tmp_path, faces, SETTINGS)
    assert answer["metadata"]["raw"]["pictures"] == 23
    with pytest.raises(ProbeError, match="5 groups of each class; there are 4 real"):
        probe(samples[:8], tmp_path, faces | {"0.jpg": Found((BOX,))}, SETTINGS)


def test_the_cover_hides_the_box_and_a_tenth_more_and_leaves_the_picture(portrait: np.ndarray) -> None:
    before = portrait.copy()
    covered = cover(portrait, (170.0, 50.0, 100.0, 120.0))
    assert (covered[38:182, 160:280] == 127).all()
    changed = (covered != portrait).any(axis=2)
    assert changed[:38].sum() == changed[182:].sum() == changed[:, :160].sum() == changed[:, 280:].sum() == 0
    assert (portrait == before).all()
    assert (cover(portrait, (-20.0, -20.0, 60.0, 60.0))[:46, :46] == 127).all()


def test_a_file_is_described_by_what_needs_no_decoding(portrait: np.ndarray) -> None:
    coarse, fine = (describe_file(to_jpeg(portrait, quality)) for quality in (50, 95))
    assert coarse[1:3].tolist() == [512, 512]
    assert coarse[0] < fine[0]
    assert coarse[8:].sum() > fine[8:].sum() > 0
    png = describe_file(cv2.imencode(".png", portrait)[1].tobytes())
    assert png[5:].sum() == 0


class ByRedness:
    """A model that looks at colour wherever it is."""

    side = 32
    card: dict[str, str] = {}  # noqa: RUF012 - shaped like a Detector's
    calibration = Calibration(1.0, 0.0, 0.4, 0.6)

    def score(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return crops[..., 0].mean(axis=(1, 2)), np.zeros((len(crops), 1, 1))


@pytest.mark.parametrize(("cues", "low", "high"), [({"tint": 70}, 0.9, 1.0), ({"face": 60}, 0.3, 0.7)])
def test_a_model_is_scored_with_the_face_covered(tmp_path: Path, cues: dict[str, int], low: float, high: float) -> None:
    samples = make(tmp_path, count=60, **cues)  # type: ignore[arg-type]
    faces = {sample.path: Found((BOX,)) for sample in samples}
    figures = score_covered(samples, tmp_path, faces, ByRedness(), SETTINGS)
    assert low <= figures["auc"] <= high
    assert figures["pictures"] == 60


@pytest.mark.parametrize(
    ("auc", "interval", "says"),
    [
        (0.52, (0.45, 0.6), "no cue"),
        (0.57, (0.53, 0.6), "weak"),
        (0.7, (0.6, 0.8), "part of"),
        (0.9, (0.8, 1), "strong"),
        (0.1, (0.0, 0.2), "strong"),
    ],
)
def test_the_meaning_is_said_in_words(auc: float, interval: tuple[float, float], says: str) -> None:
    assert says in explain(auc, interval)
