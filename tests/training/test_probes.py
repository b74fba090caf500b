"""The probes see a cue where there is one, none where there is none, and never the face."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from chalicelib.face_views import ViewRule
from chalicelib.settings import Settings
from chalicelib.verdicts import Calibration, Calibrations
from training import probes
from training.batches import FaceBatches
from training.degradations import to_jpeg
from training.faces import LocatedFace
from training.forgeries.mix import Mix
from training.manifest import Sample
from training.probes import (
    ProbeError,
    cover,
    describe_file,
    explain,
    format_probes,
    probe,
    probe_training,
    score_covered,
)
from training.scoring import Found

SETTINGS = Settings()
BOX = (50.0, 40.0, 60.0, 80.0)
POINTS = ((65.0, 65.0), (95.0, 65.0), (80.0, 80.0), (68.0, 98.0), (92.0, 98.0))


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


def draw_from(samples: list[Sample], root: Path, made: float) -> FaceBatches:
    """Draw a training's views of pictures whose background is told by its tint, a share of the fakes made of them."""
    faces = {sample.path: LocatedFace(BOX, POINTS) for sample in samples}
    mix = Mix(self_blended=made)
    return FaceBatches(samples, faces, root, side=48, batch_size=20, weights={}, mix=mix, settings=SETTINGS, seed=0)


def test_what_a_training_draws_is_probed_as_a_whole_and_by_its_parts(tmp_path: Path) -> None:
    samples = make(tmp_path, tint=70)
    done: list[tuple[int, int]] = []
    answer = probe_training(draw_from(samples, tmp_path, 0.5), views=390, progress=lambda *at: done.append(at))
    trained = answer["background"]["trained"]
    assert trained["pictures"] == 400
    assert (done[0], done[-1]) == ((20, 390), (390, 390))
    # Half of the views are of pairs, whose surroundings are shared: the cue of the collection says nothing there.
    assert trained["collected"]["auc"] > 0.85
    assert trained["collected"]["pictures"] == trained["made"]["pictures"] == 200
    assert abs(trained["made"]["auc"] - 0.5) < 0.17
    assert trained["made"]["auc"] < trained["auc"] < trained["collected"]["auc"]
    assert abs(answer["metadata"]["trained"]["made"]["auc"] - 0.5) < 0.17


def test_a_training_of_pairs_alone_has_no_cue_of_the_background(tmp_path: Path) -> None:
    trained = probe_training(draw_from(make(tmp_path, tint=70), tmp_path, 1.0), views=200)["background"]["trained"]
    assert abs(trained["auc"] - 0.5) < 0.17
    assert "collected" not in trained


def test_no_group_is_learnt_from_and_asked_for_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[list[str], int]] = []

    def note(features: np.ndarray, samples: list[Sample], seed: int) -> dict[str, float]:
        seen.append(([sample.group for sample in samples], len(features)))
        return {"auc": 0.5}

    monkeypatch.setattr(probes, "tell_apart", note)
    samples = make(tmp_path)
    probe_training(draw_from(samples, tmp_path, 1.0), views=100)
    groups, rows = seen[0]
    assert len(groups) == rows == 100
    assert groups[::2] == groups[1::2], "both halves of a pair are of the photo's group"
    assert set(groups) <= {sample.group for sample in samples if not sample.label}


def test_a_training_of_too_few_groups_is_not_probed(tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match="5 groups of each class; there are 4"):
        probe_training(draw_from(make(tmp_path, count=8), tmp_path, 0.0), views=40)


def test_the_table_has_a_row_for_each_state_and_part() -> None:
    row = {"auc": 0.52, "auc_interval": (0.45, 0.6), "pictures": 90}
    table = format_probes({"background": {"raw": row, "trained": {**row, "made": {**row, "auc": 0.493}}}})
    assert [line[12:38].split() for line in table.splitlines()[1:]] == [
        ["raw", "0.520"],
        ["trained", "0.520"],
        ["trained,", "made", "0.493"],
    ]
    assert table.splitlines()[1].endswith("no cue: chance lies within the interval")


class ByRedness:
    """A model that looks at colour wherever it is."""

    side = 32
    card: dict[str, str] = {}  # noqa: RUF012 - shaped like a Detector's
    calibration = Calibrations.alike(Calibration(1.0, 0.0, 0.4, 0.6))
    views = ViewRule()

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
