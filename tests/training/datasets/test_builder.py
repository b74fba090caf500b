"""A whole data set, made for real from clips that are made up: the same however often it was interrupted."""

from __future__ import annotations

import csv
import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chalicelib.settings import Settings
from training.datasets import builder, tables
from training.datasets.builder import build
from training.datasets.clips import Clip, DatasetError
from training.datasets.extraction import Extraction, Extractor
from training.datasets.plan import Plan
from training.faces import locate_faces
from training.files import WriteFailed
from training.manifest import ManifestError, read_manifest
from training.splits import split_by_group

PLAN = Plan(frames="even:2")
# The order of this file is that of completion, which differs between runs.
UNORDERED = {"extracted.jsonl"}


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory, film: Any, snap: Any) -> Path:
    """Seven pairs of a real and a fake clip or photo, one without a face, two damaged, one nowhere."""
    root = tmp_path_factory.mktemp("tree")
    for number in range(5):
        film(root / f"real/n{number}.mp4", number)
        film(root / f"fake/swap/n{number}.mp4", number + 6)
    for number in (11, 12):
        snap(root / f"real/n{number}.png", number)
        snap(root / f"fake/gan/n{number}.jpg", number + 3)
    film(root / "real/noise.mp4", face=False)
    (root / "fake/damaged.mp4").write_bytes(b"\x00\x00\x00\x20ftypisom and no more")
    (root / "fake/<b>text.jpg").write_bytes(b"hello")
    snap(root / "stray.jpg")
    return root


@pytest.fixture(scope="session")
def whole(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data set of the tree, built in one go."""
    out = tmp_path_factory.mktemp("whole") / "set"
    build(tree, out, PLAN)
    return out


def contents(out: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and path.name not in UNORDERED
    }


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_picture_is_listed_labelled_grouped_and_in_one_part(whole: Path) -> None:
    rows = rows_of(whole / "faces.csv")
    listed = {row["path"] for row in rows} | {row["path"] for row in rows_of(whole / "dropped.csv")}
    assert {path.relative_to(whole).as_posix() for path in (whole / "faces").rglob("*.*")} == listed
    for row in rows:
        assert row["path"].startswith(f"faces/own/{row['label']}/")
        assert row["label"] == ("fake" if row["file"].startswith("fake") else "real")
        assert row["method"] == ("" if row["label"] == "real" else row["file"].split("/")[1])
        assert row["clip"] == (row["file"] if row["file"].endswith("mp4") else "")
        assert row["group"] == f"own {Path(row['file']).stem}"
    samples = read_manifest(whole / "faces.csv")
    parts = split_by_group(samples)
    assert {part: {s.split for s in mine} for part, mine in parts.items()} == {part: {part} for part in parts}


def test_every_file_of_the_input_is_accounted_for(whole: Path, tree: Path) -> None:
    rows = {row["path"]: row for row in rows_of(whole / "clips.csv")}
    assert set(rows) == {path.relative_to(tree).as_posix() for path in tree.rglob("*.*")}
    assert rows["real/n0.mp4"]["status"] == "used"
    assert (rows["real/n0.mp4"]["frames"], rows["real/n0.mp4"]["faces"]) == ("2", "2")
    for path, status, reason in (
        ("real/noise.mp4", "no_face", "no face"),
        ("fake/damaged.mp4", "unreadable", "cannot be opened"),
        ("fake/<b>text.jpg", "unreadable", ""),
        ("stray.jpg", "left_out", "real or fake"),
    ):
        assert rows[path]["status"] == status
        assert reason in rows[path]["reason"] != ""


def test_a_training_need_not_search_for_the_faces_again(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import training.faces

    monkeypatch.setattr(training.faces, "FaceFinder", None)
    shutil.copy(whole / "faces_found.csv", tmp_path)
    samples = read_manifest(whole / "faces.csv")
    found = locate_faces(samples, whole, tmp_path / "faces_found.csv", Settings())
    assert set(found) == {sample.path for sample in samples}
    boxes = {row["path"]: json.loads(row["box"]) for row in rows_of(whole / "faces.csv")}
    assert all(list(face.box) == boxes[path] and len(face.landmarks) == 5 for path, face in found.items())


def test_report_and_metadata_agree_with_the_table(whole: Path) -> None:
    rows = rows_of(whole / "faces.csv")
    report = json.loads((whole / "report.json").read_text())
    metadata = json.loads((whole / "metadata.json").read_text())
    assert report["files"] == {"used": 14, "no_face": 1, "unreadable": 2, "left_out": 1}
    assert report["faces"]["kept"] == len(rows)
    assert report["faces"]["found"] == 24 == len(rows) + len(rows_of(whole / "dropped.csv"))
    assert sum(part["fake"] for part in report["parts"].values()) == sum(row["label"] == "fake" for row in rows)
    assert (metadata["finished"], metadata["counts"]["faces"]) == (True, report["faces"])
    assert metadata["plan"] == PLAN.to_dict()
    assert len(metadata["data_sha256"]) == 64


def test_the_page_needs_nothing_beside_it_and_escapes_what_strangers_wrote(whole: Path) -> None:
    page = (whole / "report.html").read_text()
    assert page.count('src="data:image/') == 4
    assert "&lt;b&gt;text.jpg" in page
    assert "<b>text" not in page
    assert not any(word in page for word in ("http:", "https:", "<script", "<link"))


def test_pictures_are_there_to_look_at(whole: Path) -> None:
    import cv2

    for label in ("real", "fake"):
        sheet = cv2.imread(str(whole / f"contact_{label}.png"))
        assert sheet.shape[1] == 8 * 116 + 4
        assert sheet[4:116, 4:116].std() > 20
    for name in ("class_balance.png", "sizes.png"):
        assert (whole / name).read_bytes().startswith(b"\x89PNG")


def count_extractions(monkeypatch: pytest.MonkeyPatch, before: Callable[[int], None]) -> list[str]:
    """Call `before` with the number of clips seen before each; return the list that they are noted in."""
    seen: list[str] = []
    real = Extractor.extract

    def extract(self: Extractor, clip: Clip) -> Extraction:
        before(len(seen))
        seen.append(clip.path)
        return real(self, clip)

    monkeypatch.setattr(Extractor, "extract", extract)
    return seen


def test_an_interrupted_run_goes_on_and_ends_as_if_it_had_not_been(
    whole: Path, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = {5: True, 9: True}

    def interrupt(seen: int) -> None:
        if stop.pop(seen, False):
            raise KeyboardInterrupt

    seen = count_extractions(monkeypatch, interrupt)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            build(tree, tmp_path / "set", PLAN)
    assert len(seen) == 9
    # As if the second time had cut a line short: what it held is done again.
    journal = tmp_path / "set/extracted.jsonl"
    journal.write_text(journal.read_text()[:-20])
    build(tree, tmp_path / "set", PLAN)
    assert len(seen) == 18
    assert contents(tmp_path / "set") == contents(whole)
    build(tree, tmp_path / "set", PLAN)
    assert len(seen) == 18


def test_two_processes_make_what_one_makes(whole: Path, tree: Path, tmp_path: Path) -> None:
    told: list[str] = []
    build(tree, tmp_path / "set", PLAN, workers=2, report=told.append)
    assert contents(tmp_path / "set") == contents(whole)
    assert told[-1].startswith("17 of 17 files done")


@pytest.mark.parametrize("full_at", ["faces", "extracted.jsonl", "faces.csv", "report.html"])
def test_a_full_disk_ends_the_run_with_a_sentence_and_loses_nothing(
    whole: Path, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full_at: str
) -> None:
    out = tmp_path / "set"
    write, opened, calls = Path.write_bytes, Path.open, [0]

    def fill(path: Path) -> None:
        if full_at in path.relative_to(out).as_posix():
            calls[0] += 1
            if full_at not in ("faces", "extracted.jsonl") or calls[0] > 6:
                raise OSError(errno.ENOSPC, "No space left on device")

    def write_bytes(self: Path, data: bytes) -> int:
        fill(self)
        return write(self, data)

    def open_to_append(self: Path, mode: str = "r", *rest: Any, **more: Any) -> Any:
        if mode == "a":
            fill(self)
        return opened(self, mode, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", write_bytes)
        patch.setattr(Path, "open", open_to_append)
        with pytest.raises(WriteFailed, match="No space left on device"):
            build(tree, out, PLAN)
    assert not list(out.rglob("unfinished_*"))
    assert (out / "extracted.jsonl").read_text().count("\n") >= 3
    build(tree, out, PLAN)
    assert contents(out) == contents(whole)


def test_files_that_were_added_or_changed_are_taken_in(
    tree: Path, tmp_path: Path, film: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = tmp_path / "tree", tmp_path / "set"
    for name in ("real/n0.mp4", "fake/swap/n0.mp4", "real/n1.mp4"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tree / name, source / name)
    build(source, out, PLAN)
    seen = count_extractions(monkeypatch, lambda seen: None)
    film(source / "fake/n1.mp4", 20)
    film(source / "real/n1.mp4", 22)
    (source / "real/n0.mp4").unlink()
    build(source, out, PLAN)
    assert seen == ["fake/n1.mp4", "real/n1.mp4"]
    assert {row["file"] for row in rows_of(out / "faces.csv")} == {"fake/n1.mp4", "fake/swap/n0.mp4", "real/n1.mp4"}


def test_a_picture_that_was_deleted_is_made_again(whole: Path, tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"
    shutil.copytree(whole, out)
    next((out / "faces").rglob("*.jpg")).unlink()
    build(tree, out, PLAN)
    assert contents(out) == contents(whole)


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        (Plan(frames="even:3"), "frames was 'even:2' and is 'even:3'"),
        (Plan(frames="even:2", seed=1), "seed was 0 and is 1"),
    ],
)
def test_other_settings_in_the_same_folder_are_refused(whole: Path, tree: Path, plan: Plan, says: str) -> None:
    before = contents(whole)
    with pytest.raises(DatasetError, match=says):
        build(tree, whole, plan)
    assert contents(whole) == before


def test_another_input_in_the_same_folder_is_refused(whole: Path, tree: Path, tmp_path: Path) -> None:
    shutil.copytree(tree, tmp_path / "other")
    with pytest.raises(DatasetError, match="source was"):
        build(tmp_path / "other", whole, PLAN)


@pytest.mark.parametrize("metadata", [None, "no json", "[]", '{"label": "FAKE"}'])
def test_a_folder_that_is_not_ours_is_left_alone(tree: Path, tmp_path: Path, metadata: str | None) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    if metadata is not None:
        (tmp_path / "metadata.json").write_text(metadata)
    with pytest.raises(DatasetError, match="another --out"):
        build(tree, tmp_path, PLAN)
    assert (tmp_path / "thesis.txt").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 1 + (metadata is not None)


def test_one_class_alone_is_refused_before_any_work(tree: Path, tmp_path: Path) -> None:
    shutil.copytree(tree / "fake", tmp_path / "in/fake")
    with pytest.raises(DatasetError, match="All 9 files are fake"):
        build(tmp_path / "in", tmp_path / "set", PLAN)
    assert not (tmp_path / "set").exists()


def test_no_face_in_a_class_is_refused_and_says_where_the_reasons_are(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "in/real").mkdir(parents=True)
    (tmp_path / "in/fake").mkdir()
    shutil.copy(tree / "real/noise.mp4", tmp_path / "in/real")
    shutil.copy(tree / "fake/swap/n1.mp4", tmp_path / "in/fake")
    with pytest.raises(DatasetError, match=r"No face was found in any of the 1 real files.*clips\.csv"):
        build(tmp_path / "in", tmp_path / "set", PLAN)
    assert {row["status"] for row in rows_of(tmp_path / "set/clips.csv")} == {"used", "no_face"}


def test_a_stated_split_is_honoured_and_one_that_tears_a_group_is_refused(tree: Path, tmp_path: Path) -> None:
    head = "path,label,group,split\nreal/n0.mp4,real,anna,test\nreal/n1.mp4,real,bert,train\n"
    listed = head + "fake/swap/n0.mp4,fake,anna,{}\n"
    (tmp_path / "clips.csv").write_text(listed.format("train"))
    with pytest.raises(ManifestError, match="anna"):
        build(tmp_path / "clips.csv", tmp_path / "set", PLAN, root=tree)
    assert not (tmp_path / "set").exists()
    (tmp_path / "clips.csv").write_text(listed.format("test"))
    build(tmp_path / "clips.csv", tmp_path / "set", PLAN, root=tree)
    rows = rows_of(tmp_path / "set/faces.csv")
    assert {(row["group"], row["split"]) for row in rows} == {("anna", "test"), ("bert", "train")}


def test_a_picture_under_both_labels_is_told_and_cannot_leak(tree: Path, tmp_path: Path, snap: Any) -> None:
    source = tmp_path / "in"
    for number in (11, 12, 14):
        snap(source / f"real/{number}.png", number)
        snap(source / f"fake/other {number}.png", number + 3)
    snap(source / "fake/copy.jpg", 11)
    report = build(source, tmp_path / "set", PLAN)
    assert any("both labels in 2 pairs" in finding and "real/11.png" in finding for finding in report["findings"])
    groups = {row["file"]: row["group"] for row in rows_of(tmp_path / "set/faces.csv")}
    assert groups["fake/copy.jpg"] == groups["real/11.png"]
    # 14 lies under both labels as well, being "other 11".
    assert groups["fake/other 11.png"] == groups["real/14.png"]
    assert len(set(groups.values())) == 5


@pytest.mark.parametrize(
    ("layout", "real", "fake", "extra"),
    [
        (
            "faceforensics",
            "original_sequences/youtube/c23/videos/035.mp4",
            "manipulated_sequences/Deepfakes/c23/videos/035_036.mp4",
            {},
        ),
        (
            "celeb-df",
            "Celeb-real/id0_0000.mp4",
            "Celeb-synthesis/id0_id1_0000.mp4",
            {"List_of_testing_videos.txt": "1 Celeb-real/id0_0000.mp4\n"},
        ),
        (
            "dfdc",
            "dfdc_train_part_0/bbb.mp4",
            "dfdc_train_part_0/aaa.mp4",
            {
                "dfdc_train_part_0/metadata.json": json.dumps(
                    {"aaa.mp4": {"label": "FAKE", "original": "bbb.mp4"}, "bbb.mp4": {"label": "REAL"}}
                )
            },
        ),
        ("named", "real_035.mp4", "deepfakes_035_036.mp4", {}),
    ],
)
def test_each_known_layout_becomes_a_data_set(
    tree: Path, tmp_path: Path, layout: str, real: str, fake: str, extra: dict[str, str]
) -> None:
    source = tmp_path / "in"
    for name, original in ((real, "real/n0.mp4"), (fake, "fake/swap/n0.mp4")):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tree / original, source / name)
    for name, text in extra.items():
        (source / name).write_text(text)
    report = build(source, tmp_path / "set", Plan(frames="even:1", balance="weights"))
    assert report["layout"] == layout
    rows = {row["file"]: row for row in rows_of(tmp_path / "set/faces.csv")}
    assert {clip: row["label"] for clip, row in rows.items()} == {real: "real", fake: "fake"}
    assert len({row["group"] for row in rows.values()}) == 1
    assert {row["weight"] for row in rows.values()} == {"1.0"}
    assert any("no face" in finding for finding in report["findings"])


def test_a_clip_that_kills_its_process_is_listed_like_any_other_damage(
    whole: Path, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.datasets.pool import Crashed

    class OnePoolForAll:
        def __init__(self, *_: Any) -> None:
            self.extractor = Extractor(PLAN, Settings(), tree, tmp_path / "set")

        def run(self, clips: list[Clip]) -> Any:
            for clip in clips:
                yield clip, Crashed() if clip.path == "real/n1.mp4" else self.extractor.extract(clip)

    monkeypatch.setattr(builder, "Pool", OnePoolForAll)
    build(tree, tmp_path / "set", PLAN, workers=2)
    rows = {row["path"]: row for row in rows_of(tmp_path / "set" / tables.CLIPS)}
    assert (rows["real/n1.mp4"]["status"], rows["real/n0.mp4"]["status"]) == ("unreadable", "used")
    assert "process" in rows["real/n1.mp4"]["reason"]
