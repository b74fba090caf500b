"""`unmask flags`, as an operator calls it."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from backend.cli import unmask
from chalicelib.checks import Checker
from chalicelib.flags import make_flag
from chalicelib.pictures import FolderPictures
from chalicelib.settings import Settings
from chalicelib.sqlite_flags import SqliteFlags


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("UNMASK_STORE_PATH", str(tmp_path / "checks.sqlite3"))
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(unmask, ["flags", *arguments])


def test_without_flags_that_is_said_and_is_no_error() -> None:
    told = run()
    assert (told.exit_code, told.stdout) == (0, "")
    assert told.stderr == "No flags.\n"
    assert run("--state", "needs_review").stderr == "No flags that are needs review.\n"
    assert run("--json").stdout == run("--json").stderr == ""


def test_an_address_is_flagged_listed_shown_and_forgotten() -> None:
    made = json.loads(run("add", "https://photos.example/me.jpg?token=secret", "--note", "odd\u202e ear").stdout)
    table = run().stdout
    assert made["id"] in table
    assert "waiting" in table
    assert "photos.example" in table
    assert "secret" not in table, "an address may hold secrets"
    assert "\u202e" not in table
    assert json.loads(run("--json").stdout) == json.loads(run("show", made["id"]).stdout) == made
    assert run("delete", made["id"]).exit_code == 0
    for gone in (run("show", made["id"]), run("delete", made["id"])):
        assert (gone.exit_code, gone.stderr) == (1, "Error: No flag is stored under that id.\n")


def test_a_check_is_flagged_with_the_picture_that_it_judged(tmp_path: Path) -> None:
    from PIL import Image

    picture = tmp_path / "plain.png"
    Image.new("RGB", (64, 64), "teal").save(picture)
    checker = Checker.from_settings(Settings.from_environment())
    check = checker.check_image(picture.read_bytes())
    checker.close()
    made = json.loads(run("add", "--check", check["id"], "--picture", str(picture)).stdout)
    assert (made["state"], made["before"]["verdict"]) == ("waiting", "no_face")
    kept = FolderPictures(tmp_path / "flagged", 30)
    assert kept.get(made["id"]) == picture.read_bytes()
    run("delete", made["id"])
    assert list((tmp_path / "flagged").iterdir()) == []


def test_the_newest_so_many_are_listed() -> None:
    for number in range(3):
        run("add", f"https://photos.example/{number}.jpg")
    assert len(run("--json", "--limit", "2").stdout.splitlines()) == 2


def test_nothing_to_flag_is_a_sentence() -> None:
    told = run("add")
    assert told.exit_code == 1
    assert "must have" in told.stderr


def test_one_person_s_flags_are_listed_and_forgotten_apart(tmp_path: Path) -> None:
    mine = json.loads(run("add", "https://photos.example/1.jpg").stdout)
    theirs = make_flag(datetime.now(UTC), url="https://photos.example/2.jpg", owner="anna")
    with closing(SqliteFlags(tmp_path / "checks.sqlite3")) as store:
        store.add(theirs)
    FolderPictures(tmp_path / "flagged", 30).put(theirs["id"], b"picture")
    assert [json.loads(line)["id"] for line in run("--owner", "anna", "--json").stdout.splitlines()] == [theirs["id"]]
    assert run("delete", "--owner", "anna").exit_code == 0
    assert [json.loads(line)["id"] for line in run("--json").stdout.splitlines()] == [mine["id"]]
    assert list((tmp_path / "flagged").iterdir()) == []
    for wrong in (run("delete"), run("delete", mine["id"], "--owner", "local")):
        assert (wrong.exit_code, "Say either" in wrong.stderr) == (2, True)
