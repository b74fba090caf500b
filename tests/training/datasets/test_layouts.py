"""Known collections are recognised by their folders and metadata, and every file gets its label and its people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.datasets import celeb_df, dfdc, faceforensics, folders
from training.datasets.clips import DatasetError
from training.datasets.groups import group_clips
from training.datasets.listing import LAYOUTS

FF_REAL = "original_sequences/youtube/c23/videos"
FF_FAKE = "manipulated_sequences/{}/c23/videos"
METADATA = json.dumps(
    {
        "aaa.mp4": {"label": "FAKE", "split": "train", "original": "bbb.mp4"},
        "bbb.mp4": {"label": "REAL", "split": "train"},
        "gone.mp4": {"label": "FAKE", "original": "bbb.mp4"},
        "odd.mp4": {"label": "PERHAPS"},
    }
)


def read_metadata(path: str) -> str:
    return METADATA


def recognise(paths: list[str], text: str = "") -> str:
    return next((name for name, (matches, _) in LAYOUTS.items() if matches(paths, lambda path: text)), "")


@pytest.mark.parametrize(
    ("paths", "text", "layout"),
    [
        ([f"{FF_REAL}/035.mp4"], "", "faceforensics"),
        ([f"deep/down/{FF_FAKE.format('FaceSwap')}/035_036.mp4"], "", "faceforensics"),
        (["Celeb-real/id0_0000.mp4"], "", "celeb-df"),
        (["Celeb-DF-v2/YouTube-real/00000.mp4"], "", "celeb-df"),
        (["dfdc_train_part_0/metadata.json", "dfdc_train_part_0/aaa.mp4"], METADATA, "dfdc"),
        (["real/metadata.json", "real/a.mp4", "fake/b.mp4"], '{"made": "by me"}', "folders"),
        (["real/metadata.json", "real/a.mp4", "fake/b.mp4"], "no json", "folders"),
        (["x/collection.toml", "x/images/real/a.jpg"], "", "collections"),
        (["street/Real/a.jpg"], "", "folders"),
        (["real_035.mp4", "deepfakes_035_036.mp4"], "", "named"),
        (["original-7.mp4"], "", "named"),
        (["holiday/a.jpg", "realistic.jpg"], "", ""),
    ],
)
def test_a_layout_is_recognised(paths: list[str], text: str, layout: str) -> None:
    assert recognise(paths, text) == layout


def test_faceforensics_pairs_are_one_group_in_either_direction() -> None:
    paths = [
        f"{FF_REAL}/035.mp4",
        f"{FF_REAL}/036.mp4",
        f"{FF_REAL}/100.mp4",
        f"{FF_FAKE.format('Deepfakes')}/035_036.mp4",
        f"{FF_FAKE.format('FaceSwap')}/036_035.mp4",
        "manipulated_sequences/Deepfakes/raw/images/100_101/0001.png",
    ]
    listing = faceforensics.parse(paths, read_metadata)
    groups = group_clips(listing.clips)
    assert [clip.label for clip in listing.clips] == [0, 0, 0, 1, 1, 1]
    assert [clip.method for clip in listing.clips] == ["", "", "", "Deepfakes", "FaceSwap", "Deepfakes"]
    assert {clip.source for clip in listing.clips} == {"ffpp_c23", "ffpp_raw"}
    assert len({groups[path] for path in (paths[0], paths[1], paths[3], paths[4])}) == 1
    assert groups[paths[2]] == groups[paths[5]] != groups[paths[0]]


def test_a_chain_of_pairs_is_one_group() -> None:
    paths = [f"{FF_FAKE.format('Deepfakes')}/{name}.mp4" for name in ("003_004", "002_003", "001_002", "010_011")]
    groups = group_clips(faceforensics.parse(paths, read_metadata).clips)
    assert list(groups.values()) == ["ffpp 001", "ffpp 001", "ffpp 001", "ffpp 010"]


def test_the_actors_of_deepfakedetection_are_no_youtube_numbers() -> None:
    paths = [
        "original_sequences/actors/c23/videos/01__talking.mp4",
        "manipulated_sequences/DeepFakeDetection/c23/videos/01_02__talking__YVGY8LOK.mp4",
        f"{FF_REAL}/001.mp4",
    ]
    groups = list(group_clips(faceforensics.parse(paths, read_metadata).clips).values())
    assert groups[0] == groups[1] != groups[2]


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("manipulated_sequences/Deepfakes/masks/videos/035_036.mp4", "a mask of"),
        ("manipulated_sequences/Deepfakes/c99/videos/035_036.mp4", "no compression"),
        (f"{FF_REAL}/holiday.mp4", "no clip name"),
        ("poster.jpg", "outside"),
        ("original_sequences/035.mp4", "outside"),
    ],
)
def test_what_is_no_clip_of_faceforensics_is_left_out_with_the_reason(path: str, why: str) -> None:
    listing = faceforensics.parse([path, f"{FF_REAL}/001.mp4", "README.txt"], read_metadata)
    assert [clip.path for clip in listing.clips] == [f"{FF_REAL}/001.mp4"]
    assert list(listing.left_out) == [path]
    assert why in listing.left_out[path]


def test_celeb_df_is_grouped_by_both_people_of_a_swap() -> None:
    paths = [
        "Celeb-real/id0_0000.mp4",
        "Celeb-real/id1_0003.mp4",
        "Celeb-real/id2_0003.mp4",
        "Celeb-synthesis/id0_id1_0000.mp4",
        "YouTube-real/00000.mp4",
        "YouTube-real/00001.mp4",
        "List_of_testing_videos.txt",
        "Celeb-real/holiday.mp4",
    ]
    tests = "1 YouTube-real/00001.mp4\n0 Celeb-synthesis/id0_id1_0000.mp4\n\n"
    listing = celeb_df.parse(paths, lambda path: tests)
    groups = list(group_clips(listing.clips).values())
    assert [clip.label for clip in listing.clips] == [0, 0, 0, 1, 0, 0]
    assert groups[0] == groups[1] == groups[3]
    assert len(set(groups)) == 4
    assert [clip.official for clip in listing.clips] == ["train", "train", "train", "test", "train", "test"]
    assert not any(clip.split for clip in listing.clips)
    assert list(listing.left_out) == ["Celeb-real/holiday.mp4"]


def test_dfdc_fakes_stay_with_their_original() -> None:
    folder = "dfdc_train_part_0"
    paths = [f"{folder}/{name}" for name in ("aaa.mp4", "bbb.mp4", "metadata.json", "odd.mp4", "stray.mp4")]
    listing = dfdc.parse(paths, read_metadata)
    assert [(clip.path, clip.label, clip.official) for clip in listing.clips] == [
        (f"{folder}/aaa.mp4", 1, "train"),
        (f"{folder}/bbb.mp4", 0, "train"),
    ]
    assert set(group_clips(listing.clips).values()) == {"dfdc bbb"}
    reasons = {Path(path).name: why for path, why in listing.left_out.items()}
    assert "no such file" in reasons["gone.mp4"]
    assert "REAL or FAKE" in reasons["odd.mp4"]
    assert "no metadata.json names it" in reasons["stray.mp4"]


@pytest.mark.parametrize("text", ["[1, 2]", "{"])
def test_damaged_metadata_is_refused(text: str) -> None:
    with pytest.raises(DatasetError, match=r"metadata\.json"):
        dfdc.parse(["metadata.json", "a.mp4"], lambda path: text)


@pytest.mark.parametrize(
    ("path", "label", "source", "method", "by_clip", "by_folder"),
    [
        ("real/a.mp4", 0, "own", "", "own a", "own"),
        ("fake/a.mp4", 1, "own", "", "own a", "own"),
        ("fake/swaps/anna/1.jpg", 1, "own", "swaps", "own 1", "own swaps/anna"),
        ("street/FAKE/1.jpg", 1, "street", "", "street 1", "street"),
        ("a/b/real/anna/1.jpg", 0, "a_b", "", "a_b 1", "a_b anna"),
        # The nearest folder tells.
        ("fake/real/1.jpg", 0, "fake", "", "fake 1", "fake"),
    ],
)
def test_folders_tell_label_source_method_and_group(
    path: str, label: int, source: str, method: str, by_clip: str, by_folder: str
) -> None:
    clip = folders.parse([path], read_metadata).clips[0]
    assert (clip.label, clip.source, clip.method, *clip.identities) == (label, source, method, by_clip)
    assert folders.parse([path], read_metadata, "folder").clips[0].identities == (by_folder,)


def test_names_tell_label_method_and_people() -> None:
    paths = ["deepfakes_035_036.mp4", "original_036.mp4", "real_035.mp4", "fake-anna.jpg", "Real_anna.jpg", "x.jpg"]
    listing = folders.parse_flat(paths, read_metadata)
    assert [clip.label for clip in listing.clips] == [1, 0, 0, 1, 0]
    assert [clip.method for clip in listing.clips] == ["deepfakes", "", "", "fake", ""]
    assert list(group_clips(listing.clips).values()) == ["035", "035", "035", "anna", "anna"]
    assert list(listing.left_out) == ["x.jpg"]
