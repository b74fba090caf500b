"""Frames of a clip are one witness; a unit never mixes real with fake, nor one manipulation with another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chalicelib.verdicts import Calibration, Calibrations, judge_track
from training.levels import BY_COLUMN, BY_NAME, gather, name_clips
from training.manifest import Sample, read_manifest


def sample(path: str, group: str = "a", label: int = 0) -> Sample:
    return Sample(path, label, "street", "", group)


@pytest.mark.parametrize(
    ("paths", "clips"),
    [
        (["x/035_01.jpg", "x/035_02.jpg"], {"x/035_01.jpg": "x/035", "x/035_02.jpg": "x/035"}),
        (["x/035_036_007.jpg", "x/035_036_008.jpg"], {f"x/035_036_00{n}.jpg": "x/035_036" for n in (7, 8)}),
        # A photo, a single digit, a letter, another folder.
        (["x/img_01.jpg", "x/talk_1.jpg", "x/talk_2.jpg", "x/a_b.jpg", "y/img_02.jpg"], {}),
    ],
)
def test_names_tell_clips_where_no_column_does(paths: list[str], clips: dict[str, str]) -> None:
    assert name_clips([sample(path) for path in paths]) == (clips, BY_NAME)


def test_pictures_of_other_groups_or_labels_are_no_frames_of_one_clip() -> None:
    assert name_clips([sample("x/img_01.jpg", "a"), sample("x/img_02.jpg", "b")])[0] == {}
    assert name_clips([sample("x/img_01.jpg", label=0), sample("x/img_02.jpg", label=1)])[0] == {}


def test_the_column_decides_where_there_is_one(tmp_path: Path) -> None:
    manifest = tmp_path / "faces.csv"
    manifest.write_text("path,label,clip\nx/t_01.jpg,real,talk\nx/t_02.jpg,real,\ny/1.jpg,fake,walk\n")
    assert name_clips(read_manifest(manifest), manifest) == ({"x/t_01.jpg": "talk", "y/1.jpg": "walk"}, BY_COLUMN)


def row(label: str, group: str, odds: float | None, method: str = "", clip: str = "") -> dict[str, object]:
    scored = {} if odds is None else {"log_odds": odds}
    return {
        "path": "p",
        "label": label,
        "source": "street",
        "method": method,
        "group": group,
        "clip": clip,
        "fake_probability": None if odds is None else 1 / (1 + np.exp(-odds)),
        "verdict": "uncertain",
        **scored,
    }


def test_a_group_is_judged_by_the_mean_of_its_logits_each_manipulation_apart() -> None:
    rows = [
        row("real", "pair", -3.0),
        row("real", "pair", 1.0),
        row("fake", "pair", 6.0, "swap"),
        row("fake", "pair", 2.0, "puppet"),
        row("fake", "pair", None, "swap"),
        row("real", "lone", None),
    ]
    units = gather(rows, "group", Calibrations.alike(Calibration(1.0, 0.0, 0.3, 0.7)))
    told = {(u["label"], u["method"], u["path"]): (u["fake_probability"], u["verdict"], u["pictures"]) for u in units}
    assert told == {
        ("real", "", "pair"): (pytest.approx(0.2689), "no_traces", 2),
        ("fake", "swap", "pair"): (pytest.approx(0.9975), "likely_fake", 1),
        ("fake", "puppet", "pair"): (pytest.approx(0.8808), "likely_fake", 1),
        ("real", "", "lone"): (None, "", 0),
    }


def test_photos_take_no_part_in_clips_and_old_rows_are_read_by_their_probability() -> None:
    old = row("fake", "a", 2.0, clip="talk")
    del old["log_odds"]
    units = gather([old, row("fake", "a", 4.0, clip="talk"), row("real", "b", -1.0)], "clip")
    assert [(u["path"], u["verdict"]) for u in units] == [("talk", "")]
    assert units[0]["log_odds"] == pytest.approx(3.0)


def test_four_pictures_are_read_as_a_video_and_fewer_as_pictures() -> None:
    # Logits: twice the log-odds of a picture, less one. A video takes them as they are.
    media = Calibrations(
        picture=Calibration(2.0, 0.5, 0.3, 0.7),
        frame=Calibration(1.0, 9.0, 0.3, 0.7),
        video=Calibration(1.0, 0.0, 0.3, 0.95),
    )
    many, few = [row("fake", "a", 2.0, clip="talk")] * 4, [row("fake", "a", 2.0, clip="walk")] * 3
    units = {unit["path"]: unit for unit in gather([*many, *few], "clip", media)}
    assert units["talk"]["log_odds"] == pytest.approx(3.0)
    assert units["talk"]["fake_probability"] == pytest.approx(0.9526)
    assert (units["walk"]["log_odds"], units["walk"]["verdict"]) == (pytest.approx(2.0), "likely_fake")


def test_a_clip_is_judged_by_the_rule_that_serves() -> None:
    plain = Calibration(1.0, 0.0, 0.3, 0.7)
    media = Calibrations(plain, plain, plain, frame_correlation=0.5)
    units = {unit["path"]: unit for unit in gather([row("fake", "a", 0.6, clip="talk")] * 32, "clip", media)}
    served = judge_track([0.6] * 32, [()] * 32, media)
    assert units["talk"]["log_odds"] == pytest.approx(0.6 * 64 / 33)
    assert (units["talk"]["fake_probability"], units["talk"]["verdict"]) == (served.probability, served.verdict)
