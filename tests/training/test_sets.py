"""Several data sets become one whose paths, groups, clips, known faces and sources are those of all."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from training.commands.options import ROOTS, SETS, open_sets
from training.files import WriteFailed
from training.manifest import ManifestError, read_manifest
from training.sets import FaceSet, join_sets, read_sources


def lay_out(folder: Path, rows: str, files: tuple[str, ...] = (), sources: object = None) -> FaceSet:
    folder.mkdir(parents=True)
    (folder / "faces.csv").write_text(rows)
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    if sources is not None:
        (folder / "collections.json").write_text(json.dumps(sources))
    return FaceSet(folder / "faces.csv", folder)


def test_one_set_alone_is_taken_as_it_is(tmp_path: Path) -> None:
    alone = lay_out(tmp_path / "a", "path,label\nx.jpg,real\n")
    assert join_sets([alone], tmp_path / "data") is alone
    assert not (tmp_path / "data").exists()


def test_paths_of_two_sets_lead_to_their_files_and_say_the_same_as_before(tmp_path: Path) -> None:
    one = lay_out(
        tmp_path / "one/set",
        "path,label,method,source,group,split,weight\nfaces/x.jpg,fake,gan,web,anna,train,2\nfaces/y.jpg,real,,,,test,\n",
        ("faces/x.jpg", "faces/y.jpg"),
    )
    other = lay_out(tmp_path / "other/set", "path,label,group,split\nfaces/x.jpg,real,anna,train\n", ("faces/x.jpg",))
    joined = join_sets([one, other], tmp_path / "data")
    samples = read_manifest(joined.manifest)
    assert [(joined.root / sample.path).read_text() for sample in samples] == [
        "faces/x.jpg",
        "faces/y.jpg",
        "faces/x.jpg",
    ]
    assert [s.path for s in samples] == ["set/faces/x.jpg", "set/faces/y.jpg", "set-2/faces/x.jpg"]
    assert [(s.label, s.method, s.source, s.group, s.split, s.weight) for s in samples] == [
        (1, "gan", "web", "anna", "train", 2.0),
        (0, "", "faces", "set/faces/y.jpg", "test", 1.0),
        (0, "", "faces", "anna", "train", 1.0),
    ]
    before = joined.manifest.read_bytes()
    assert join_sets([one, other], tmp_path / "data") == joined
    assert joined.manifest.read_bytes() == before


def test_two_manifests_of_one_folder_share_its_name(tmp_path: Path) -> None:
    one = lay_out(tmp_path / "data", "path,label\nx.jpg,real\n", ("x.jpg",))
    (tmp_path / "data/modern.csv").write_text("path,label\ny.jpg,fake\n")
    joined = join_sets([one, FaceSet(tmp_path / "data/modern.csv", tmp_path / "data")], tmp_path / "run")
    assert [sample.path for sample in read_manifest(joined.manifest)] == ["data/x.jpg", "data/y.jpg"]


def test_frames_stay_frames_of_their_clip_whether_a_column_or_their_names_tell(tmp_path: Path) -> None:
    named = lay_out(tmp_path / "a", "path,label,group\nc_01.jpg,real,c\nc_02.jpg,real,c\nlone.jpg,fake,d\n")
    column = lay_out(tmp_path / "b", "path,label,clip\n1.jpg,fake,c.mp4\n2.jpg,fake,\n")
    joined = join_sets([named, column], tmp_path / "data")
    with joined.manifest.open(newline="") as file:
        assert [row["clip"] for row in csv.DictReader(file)] == ["a/c", "a/c", "", "b/c.mp4", ""]


def test_known_faces_and_sources_are_joined(tmp_path: Path) -> None:
    entry = {"label": "real", "family": "webcam", "origin": "A/B@1", "terms": "MIT", "note": ""}
    one = lay_out(tmp_path / "a", "path,label\nx.jpg,real\n", sources={"cams": {**entry, "faces": {"train": 1}}})
    (tmp_path / "a/faces_found.csv").write_text('x.jpg,"[1, 2, 3, 4]",[]\n')
    other = lay_out(tmp_path / "b", "path,label\ny.jpg,fake\n", sources={"cams": {**entry, "faces": {"train": 9}}})
    elsewhere = FaceSet(lay_out(tmp_path / "c", "path,label\nz.jpg,fake\n").manifest, tmp_path / "a")
    (tmp_path / "c/faces_found.csv").write_text("z.jpg,[],[]\n")
    joined = join_sets([one, other, elsewhere], tmp_path / "data")
    assert (tmp_path / "data/faces_found.csv").read_text() == 'a/x.jpg,"[1, 2, 3, 4]",[]\n'
    assert read_sources(joined.manifest) == {"cams": entry}


def test_sets_that_contradict_each_other_and_damaged_sources_are_refused(tmp_path: Path) -> None:
    one = lay_out(tmp_path / "a", "path,label\nx.jpg,real\n", sources={"cams": {"terms": "MIT"}})
    other = lay_out(tmp_path / "b", "path,label\ny.jpg,fake\n", sources={"cams": {"terms": "none"}})
    with pytest.raises(ManifestError, match=r"different things of the source cams; rename"):
        join_sets([one, other], tmp_path / "data")
    (tmp_path / "b/collections.json").write_text("[1]")
    with pytest.raises(ManifestError, match=r"collections\.json is damaged"):
        join_sets([one, other], tmp_path / "data")


def test_a_file_in_the_place_of_a_link_is_left_alone(tmp_path: Path) -> None:
    one = lay_out(tmp_path / "a", "path,label\nx.jpg,real\n")
    other = lay_out(tmp_path / "b", "path,label\ny.jpg,fake\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/b").write_text("mine")
    with pytest.raises(WriteFailed, match="could not be made a link"):
        join_sets([one, other], tmp_path / "data")
    assert (tmp_path / "data/b").read_text() == "mine"


@click.command()
@SETS
@ROOTS
def show(faces: tuple[Path, ...], roots: tuple[Path, ...]) -> None:
    manifest, root = open_sets(faces, roots)
    click.echo([(sample.path, (root / sample.path).is_file()) for sample in read_manifest(manifest)])


def test_a_command_takes_several_sets_and_a_root_for_each_or_none(tmp_path: Path) -> None:
    one = lay_out(tmp_path / "a", "path,label\nx.jpg,real\n", ("x.jpg",))
    other = lay_out(tmp_path / "b", "path,label\ny.jpg,fake\n")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures/y.jpg").write_text("y")
    faces = ["--faces", str(one.manifest), "--faces", str(other.manifest)]
    roots = ["--root", str(one.root), "--root", str(tmp_path / "pictures")]
    run = CliRunner().invoke
    assert run(show, [*faces, *roots]).output == "[('a/x.jpg', True), ('pictures/y.jpg', True)]\n"
    assert run(show, faces).output == "[('a/x.jpg', True), ('b/y.jpg', False)]\n"
    assert run(show, faces[:2]).output == "[('x.jpg', True)]\n"
    result = run(show, [*faces, *roots[:2]])
    assert (result.exit_code, "2 --faces, 1 --root" in result.output) == (2, True)
    result = run(show, [])
    assert (result.exit_code, "Missing option '--faces'" in result.output) == (2, True)
