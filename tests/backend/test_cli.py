"""The command line, as a person meets it."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from backend import cli
from backend.crew import AHEAD, count_workers
from chalicelib import __version__
from chalicelib.schema import Declares, Found
from chalicelib.settings import MODELS, Settings, describe
from tests.backend import clips
from tests.backend.web import Internet, Server, internet, reply

ROOT = Path(__file__).parents[2]
UNMASK = [sys.executable, "-c", "from backend.cli import main; main()"]
Encode = Callable[..., bytes]
Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a store of its own and stand-in models."""
    monkeypatch.setenv("UNMASK_MODELS", str(models))
    monkeypatch.setenv("UNMASK_VIDEO_PATIENCE", "3600")
    monkeypatch.setenv("UNMASK_STORE_PATH", str(tmp_path / "store" / "checks.sqlite3"))
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def run(home: Path) -> Run:
    """Run `unmask` with these arguments."""

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(cli.unmask, list(arguments), prog_name="unmask")

    return invoke


@pytest.fixture
def photos(home: Path, portrait: np.ndarray, cat: np.ndarray, encode: Encode) -> Path:
    """A folder with a portrait, a cat, something broken, and files that are no pictures."""
    folder = home / "photos"
    (folder / "deeper").mkdir(parents=True)
    (folder / "portrait.jpg").write_bytes(encode(portrait, "JPEG"))
    (folder / "deeper" / "cat.PNG").write_bytes(encode(cat))
    (folder / "broken.webp").write_bytes(b"RIFF\0\0\0\0WEBPVP8 ")
    (folder / "notes.txt").write_text("no picture")
    return folder


def lines(result: Result) -> list[Any]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_table_tells_verdict_share_faces_path_and_reasons(run: Run, photos: Path) -> None:
    result = run("check", "photos")
    assert result.exit_code == 1
    heading, *rows = result.stdout.splitlines()
    assert re.split(r"\s{2,}", heading) == ["verdict", "fake", "faces", "path", "reasons"]
    broken, portrait, cat = [re.split(r"\s{2,}", row) for row in rows]
    assert broken[:4] == ["not checked", "–", "–", "photos/broken.webp"]
    assert broken[4].endswith(".")
    assert portrait[0] in ("no traces found", "likely fake", "uncertain")
    assert re.fullmatch(r"\d+%", portrait[1])
    assert portrait[2:4] == ["1", "photos/portrait.jpg"]
    assert cat == ["no face", "–", "0", "photos/deeper/cat.PNG"]
    # Every path begins under its heading.
    assert {row.index("photos/") for row in rows} == {heading.index("path")}


def test_below_a_row_stands_what_the_file_says_and_once_how_far_to_trust_it(
    run: Run, home: Path, portrait: np.ndarray
) -> None:
    info = PngInfo()
    info.add_text("Software", "NovelAI \x1b[31m")
    for name in ("a.png", "b.png"):
        Image.fromarray(portrait).save(home / name, pnginfo=info)
    _, *rows, last = run("check", "a.png", "b.png").stdout.splitlines()
    said = "  file says: made by a machine, a generator's name (Software, declared): NovelAI [31m"
    assert [row.removesuffix(" – the network disagrees") for row in rows[1::2]] == [said, said]
    assert last == cli.TRUST_IN_TAGS
    assert lines(run("check", "--json", "a.png"))[0]["signals"][0]["declares"] == "machine_made"


def test_no_traces_found_is_said_to_prove_nothing_and_where_to_read_what_the_model_knows(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found: Any = {"verdict": "no_traces", "fake_probability": 0.04, "faces": [{}], "reasons": [], "signals": []}
    table = cli.Table(10)
    table.show("a.jpg", found)
    table.show("b.jpg", found)
    table.close()
    _, *rows, last = capsys.readouterr().out.splitlines()
    assert [row.split("  ")[0] for row in rows] == ["no traces found"] * 2
    assert last == cli.NO_PROOF.format(card=MODELS / "MODEL_CARD.md")
    assert (MODELS / "MODEL_CARD.md").is_file()
    doubted = cli.Table(10)
    doubted.show("a.jpg", {**found, "verdict": "uncertain"})
    doubted.close()
    assert "genuine" not in capsys.readouterr().out
    cli.JsonLines().show("a.jpg", found)
    cli.JsonLines().close()
    assert "genuine" not in capsys.readouterr().out


def test_a_model_without_a_page_is_described_by_its_card(tmp_path: Path) -> None:
    assert cli.find_card(tmp_path) == tmp_path / "model_card.json"


@pytest.mark.parametrize(
    ("declares", "verdict", "against"),
    [
        ("machine_made", "no_traces", True),
        ("camera", "likely_fake", True),
        ("machine_made", "likely_fake", False),
        ("machine_made", "uncertain", False),
        ("camera", "no_traces", False),
        ("edited", "no_traces", False),
        ("edited", "likely_fake", False),
        (None, "likely_fake", False),
        ("machine_made", "no_face", False),
    ],
)
def test_where_file_and_network_disagree_the_line_says_so(declares: Any, verdict: str, against: bool) -> None:
    signal: Any = {"found": "camera", "where": "exif", "field": "f", "value": "", "strength": "declared"}
    line = cli.word_signal({**signal, "declares": declares}, verdict)
    assert line.endswith(" – the network disagrees") is against


def test_there_are_words_for_all_that_can_be_found_and_declared() -> None:
    assert set(cli.FOUND) == set(get_args(Found))
    assert set(cli.DECLARED) == set(get_args(Declares))


def test_json_is_one_line_a_picture_with_its_path(run: Run, photos: Path) -> None:
    result = run("check", "--json", "photos")
    assert result.exit_code == 1
    broken, portrait, cat = lines(result)
    assert broken.keys() == {"path", "error"}
    assert broken["error"]["code"] and broken["path"] == "photos/broken.webp"
    assert (portrait["path"], len(portrait["faces"]), portrait["media"]["format"]) == (
        "photos/portrait.jpg",
        1,
        "jpeg",
    )
    assert (cat["verdict"], cat["fake_probability"]) == ("no_face", None)


def test_what_was_checked_before_comes_from_the_store(run: Run, photos: Path) -> None:
    first, again = (
        run("check", "--json", "photos/portrait.jpg"),
        run("check", "--json", "photos/portrait.jpg"),
    )
    assert (first.exit_code, again.exit_code) == (0, 0)
    assert lines(again) == [{**lines(first)[0], "cached": True}]


def test_no_store_remembers_nothing(run: Run, photos: Path, tmp_path: Path) -> None:
    for _ in range(2):
        result = run("check", "--no-store", "--json", "photos/portrait.jpg")
        assert lines(result)[0]["cached"] is False
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Missing argument"),
        (["none.jpg"], "'none.jpg' does not exist"),
        (["photos", "none"], "'none' does not exist"),
        pytest.param(["FILE:///etc/passwd"], "Only http and https addresses are accepted.", id="row_01 file"),
        pytest.param(["ftp://a.example/a.png"], "Only http and https addresses are accepted.", id="row_01 ftp"),
        pytest.param(["data:image/png;base64,AAAA"], "Save the file and give its path", id="row_01 data"),
        pytest.param(["photos", "blob:http://a.example/1"], "does not exist", id="row_01 blob"),
        (["photos", "--fast"], "No such option"),
        (["photos", "--save-maps", "photos/notes.txt"], "is a file"),
        (["photos", "--save-maps", "/dev/null/maps"], "cannot be made"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_checked(
    run: Run, photos: Path, arguments: list[str], sentence: str
) -> None:
    result = run("check", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert sentence in result.stderr


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch, portrait: np.ndarray, encode: Encode) -> Iterator[Internet]:
    """An internet in which nothing stands but a trap, which serves a portrait."""
    with internet(monkeypatch, encode(portrait, "JPEG")) as made:
        yield made


def test_an_address_is_checked_beside_files_and_remembered_by_its_bytes(run: Run, photos: Path, net: Internet) -> None:
    url = "http://pictures.example/a.jpg?token=5"
    net.put(Server(reply((photos / "portrait.jpg").read_bytes())))
    result = run("check", "--json", "photos/portrait.jpg", url)
    assert result.exit_code == 0
    file, fetched = lines(result)
    assert (file["path"], fetched["path"]) == ("photos/portrait.jpg", url)
    assert {**fetched, "path": ""} == {**file, "path": "", "cached": True}
    assert url in run("check", url).stdout.splitlines()[1]


def test_an_address_that_fails_is_a_row_of_its_own_and_the_rest_goes_on(run: Run, photos: Path, net: Internet) -> None:
    net.put(Server(reply(status="404 Not Found")), host="gone.example")
    net.put(Server(reply(b"<!doctype html>")), host="page.example", address="8.8.8.8")
    net.name("localhost", ["127.0.0.1", "::1"])
    sources = [
        "http://127.0.0.1:8000/a.png",
        "HTTP://localhost/",
        "http://169.254.169.254/",
        "https://user:secret@gone.example/",
        "http://gone.example/",
        "http://nowhere.example/",
        "http://page.example/",
        "photos/portrait.jpg",
    ]
    result = run("check", "--json", *sources)
    assert result.exit_code == 1
    told = lines(result)
    assert [line["path"] for line in told] == sources
    assert [line["error"]["code"] for line in told[:-1]] == [
        *["url_not_allowed"] * 4,
        "fetch_failed",
        "fetch_failed",
        "unsupported_media",
    ]
    assert "check its file instead" in told[0]["error"]["message"]
    assert "only pictures and videos can" in told[6]["error"]["message"]
    assert told[-1]["faces"]
    assert net.trap.accepted == 0
    rows = run("check", *sources).stdout.splitlines()[1:]
    assert [row.startswith("not checked") for row in rows] == [True] * 7 + [False]


def test_an_address_gets_a_map_under_a_name_that_any_disk_takes(run: Run, photos: Path, net: Internet) -> None:
    net.put(Server(reply((photos / "portrait.jpg").read_bytes())))
    urls = [
        "http://pictures.example/a/portrait.jpg?x=../../up",
        "http://pictures.example/a/portrait.jpg#2",
        "http://pictures.example/",
        "http://pictures.example/a:b*c|d.png",
        "http://pictures.example/" + "é" * 200,
    ]
    assert run("check", *urls, "--save-maps", "maps").exit_code == 0
    names = sorted(path.name[:-17] for path in Path("maps").iterdir())
    assert names == ["abcd", "picture", "portrait", "portrait", "é" * 50]


def test_a_wrong_setting_is_wrong_usage(run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNMASK_MIN_FACE", "small")
    result = run("check", "photos")
    assert (result.exit_code, result.stdout) == (2, "")
    assert re.fullmatch(r"Error: UNMASK_MIN_FACE must be .* Received: 'small'\n", result.stderr)


def test_settings_are_shown_with_their_values_and_where_those_are_from(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNMASK_MAX_FACES", "4")
    result = run("settings")
    rows = {line.split()[0]: line.split()[1:4] for line in result.stdout.splitlines()}
    assert (result.exit_code, len(rows)) == (0, 1 + len(fields(Settings)))
    assert rows["UNMASK_MAX_FACES"] == ["4", "environment", "16"]
    assert rows["UNMASK_MAX_BYTES"] == ["20_000_000", "default", "20_000_000"]


def test_settings_are_shown_as_json(run: Run, home: Path) -> None:
    told = json.loads(run("settings", "--json").stdout)
    assert list(told)[:3] == ["UNMASK_STORE_PATH", "UNMASK_TABLE", "UNMASK_MODELS"]
    assert told["UNMASK_STORE_PATH"]["value"] == str(home.parent / "store" / "checks.sqlite3")
    assert told["UNMASK_FETCH_URLS"] == {
        "value": True,
        "default": True,
        "from_environment": False,
        "what": "whether pictures are fetched from addresses at all",
    }


def test_the_table_of_the_readme_is_the_one_that_settings_prints(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = run("settings", "--markdown").stdout
    monkeypatch.setenv("UNMASK_MAX_FACES", "4")
    assert run("settings", "--markdown").stdout == plain, "the table tells defaults"
    assert plain in (ROOT / "README.md").read_text(encoding="utf-8")


def test_a_setting_is_shown_as_it_can_be_set() -> None:
    environ = {e.variable: cli.spell(e.value) for e in describe({}) if not cli.spell(e.value).startswith("(")}
    assert len(environ) > 12
    assert Settings.from_environment(environ) == Settings()
    hosts = Settings.from_environment({"UNMASK_OWN_HOSTS": "a.example, [::1]"}).own_hosts
    assert Settings.from_environment({"UNMASK_OWN_HOSTS": cli.spell(hosts)}).own_hosts == hosts


@pytest.mark.parametrize("arguments", [[], ["--json"], ["--markdown"]])
def test_a_wrong_setting_is_not_shown_but_told(run: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    monkeypatch.setenv("UNMASK_MAX_BYTES", "many")
    result = run("settings", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "Error: UNMASK_MAX_BYTES must be a whole number. Received: 'many'\n"


def test_a_missing_model_ends_the_run_with_a_sentence(run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNMASK_MODELS", "/nowhere")
    result = run("check", "photos")
    assert (result.exit_code, result.stdout) == (1, "")
    assert re.fullmatch(r"Error: The model .* is missing or damaged\.\n", result.stderr)


def test_a_folder_without_pictures_is_no_failure(run: Run, home: Path) -> None:
    (home / "empty").mkdir()
    result = run("check", "empty")
    assert result.exit_code == 0
    assert "No pictures or videos there." in result.stderr


def test_a_circle_of_links_ends(run: Run, photos: Path) -> None:
    (photos / "deeper" / "up").symlink_to(photos)
    (photos / "self").symlink_to(".")
    (photos / "again.jpg").symlink_to("portrait.jpg")
    result = run("check", "--json", "photos")
    assert [line["path"] for line in lines(result)] == [
        "photos/again.jpg",
        "photos/broken.webp",
        "photos/portrait.jpg",
        "photos/deeper/cat.PNG",
    ]


@pytest.mark.parametrize("kind", ["broken link", "pipe", "device", "too large"])
def test_what_is_no_readable_picture_is_told_and_the_rest_goes_on(
    run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    odd = photos / "a.jpg"
    if kind == "broken link":
        odd.symlink_to("nowhere.jpg")
    elif kind == "pipe":
        os.mkfifo(odd)
    elif kind == "device":
        odd.symlink_to("/dev/zero")
    else:
        monkeypatch.setenv("UNMASK_MAX_BYTES", "1000000")
        with odd.open("wb") as file:
            # Sparse: read whole, it would not fit into memory.
            file.truncate(1 << 40)
    result = run("check", "--json", "photos")
    first, *others = lines(result)
    assert result.exit_code == 1
    assert (first["path"], len(others)) == ("photos/a.jpg", 3)
    assert first["error"]["code"] == ("too_large" if kind == "too large" else "unreadable_file")


def test_a_folder_that_cannot_be_listed_is_told(run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        if str(path).endswith("deeper"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    result = run("check", "--json", "photos")
    assert result.exit_code == 1
    assert {
        "path": "photos/deeper",
        "error": {"code": "unreadable_file", "message": "The folder cannot be read."},
    } in lines(result)


def test_a_file_name_cannot_steer_the_terminal(run: Run, home: Path, encode: Encode) -> None:
    names = [b"new\nline.png", b"\x1b[2Jclear.png", b"\xff.png"]
    for name in names:
        Path(os.fsdecode(name)).write_bytes(encode())
    result = run("check", ".")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 4
    assert "\x1b" not in result.stdout
    as_json = run("check", "--json", ".")
    assert sorted(os.fsencode(line["path"]) for line in lines(as_json)) == sorted(names)


def test_maps_are_written_for_every_picture_under_names_that_do_not_collide(
    run: Run, photos: Path, portrait: np.ndarray, encode: Encode
) -> None:
    (photos / "deeper" / "portrait.jpg").write_bytes(encode(portrait, "JPEG"))
    (photos / "portrait.png").write_bytes(encode(portrait))
    result = run("check", "photos", "--save-maps", "maps/here")
    assert result.exit_code == 1
    written = sorted(path.name for path in Path("maps/here").iterdir())
    assert [name[:-17] for name in written] == ["cat", "portrait", "portrait", "portrait"]
    for name in written:
        assert cv2.imread(f"maps/here/{name}") is not None
    run("check", "photos", "--save-maps", "maps/here")
    assert sorted(path.name for path in Path("maps/here").iterdir()) == written


def test_maps_below_the_pictures_are_not_pictures_to_check(run: Run, photos: Path) -> None:
    for _ in range(2):
        result = run("check", ".", "--json", "--save-maps", "photos/maps")
        assert len(lines(result)) == 3
    assert len(list((photos / "maps").iterdir())) == 2


def test_a_map_that_cannot_be_written_is_told(run: Run, photos: Path) -> None:
    (photos / "maps" / cli.map_name(photos / "portrait.jpg")).mkdir(parents=True)
    result = run("check", "photos/portrait.jpg", "--save-maps", "photos/maps")
    assert result.exit_code == 1
    assert "cannot be written: Is a directory." in result.stderr


def test_a_very_long_name_still_gets_a_map(run: Run, home: Path, encode: Encode) -> None:
    name = "é" * 120 + ".png"
    Path(name).write_bytes(encode())
    assert run("check", name, "--save-maps", "maps").exit_code == 0
    assert len(list(Path("maps").iterdir())) == 1


def test_help_teaches_by_example(run: Run) -> None:
    result = run("check", "--help")
    assert "unmask check portrait.jpg\n" in result.stdout
    assert "Exit status: 0 all were checked" in result.stdout
    assert "curl --data-binary" in run("serve", "--help").stdout


def test_version_is_told(run: Run) -> None:
    assert run("--version").stdout == f"unmask {__version__}\n"


def test_help_lists_the_commands_of_every_floor_and_imports_none_of_them() -> None:
    program = (
        "import sys\nfrom backend.cli import unmask\n"
        "try: unmask(['--help'], prog_name='unmask')\n"
        "finally:\n heavy = {'tensorflow', 'keras', 'cv2', 'numpy', 'chalice', 'urllib3', 'training.commands.train'}\n"
        " print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert run.stderr.strip() == "[]"
    for command in ("check", "serve", "settings", "evaluate", "train", "convert"):
        assert re.search(rf"^  {command} +[A-Z]", run.stdout, re.MULTILINE), command


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Install a command `extra` of this source, and nothing else."""

    def install(source: str) -> None:
        (tmp_path / "extra_floor.py").write_text(source)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "extra_floor", raising=False)
        entry = EntryPoint("extra", "extra_floor:extra", "unmask.commands")
        monkeypatch.setattr(cli, "_entry_points", lambda: {"extra": entry})

    return install


@pytest.mark.parametrize(
    ("source", "extra"),
    [
        ("import no_such_tensorflow\ndef extra(): ...", "training"),
        ("import click\n@click.command()\ndef extra():\n    import no_such_keras.layers", "training"),
        (
            "import click\n@click.command()\ndef extra():\n    raise ModuleNotFoundError(name='ray.data')",
            "batch",
        ),
    ],
)
@pytest.mark.parametrize("arguments", [["extra"]])
def test_a_missing_extra_is_answered_with_the_line_that_brings_it(
    run: Run, command: Callable[[str], None], source: str, extra: str, arguments: list[str]
) -> None:
    command(source)
    result = run(*arguments)
    assert result.exit_code == 2
    assert f'pip install "unmask[{extra}]"' in result.stderr


def test_a_module_of_ours_that_is_missing_is_a_mistake_and_not_an_extra(
    run: Run, command: Callable[[str], None]
) -> None:
    command("import training.no_such_module")
    assert isinstance(run("extra").exception, ModuleNotFoundError)


def test_a_command_is_summarised_by_the_first_line_of_its_docstring(run: Run, command: Callable[[str], None]) -> None:
    command("import no_such_tensorflow\ndef extra():\n    '''Do more.\n\n    Much more.'''")
    assert re.search(r"^  extra +Do more\.$", run("--help").stdout, re.MULTILINE)
    command("extra = 5")
    assert re.search(r"^  extra$", run("--help").stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("total", "seconds", "told"),
    [
        (19, [10, 20, 30], []),
        (100, [1, 2, 3, 4], []),
        (100, [1, 6, 7, 8, 12], [2, 5]),
    ],
)
def test_progress_is_told_on_long_runs_and_rarely(total: int, seconds: list[int], told: list[int]) -> None:
    out, times = io.StringIO(), iter([0, *seconds])
    progress = cli.Progress(total, out, clock=lambda: next(times))
    for done in range(1, len(seconds) + 1):
        progress.tell(done)
    assert [int(line.split()[0]) for line in out.getvalue().splitlines()] == told


def test_progress_says_how_fast_and_how_long() -> None:
    out, times = io.StringIO(), iter([0, 10])
    cli.Progress(1000, out, clock=lambda: next(times)).tell(20)
    assert out.getvalue() == "20 of 1000 checked, 2.0 a second, 8 min 10 s to go\n"


@pytest.fixture
def many(home: Path, encode: Encode) -> Iterator[Path]:
    """Two hundred pictures that differ."""
    folder = home / "many"
    folder.mkdir()
    for n in range(200):
        (folder / f"{n:03}.png").write_bytes(encode((n, n, n), size=(320, 240)))
    yield folder


@pytest.mark.parametrize("again", [True, False], ids=["with store", "without store"])
def test_an_interrupted_run_says_how_far_it_came_and_goes_on_where_it_stopped(many: Path, again: bool) -> None:
    arguments = [*UNMASK, "check", "--json", "many", *([] if again else ["--no-store"])]
    process = subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None and process.stderr is not None
    first = process.stdout.readline()
    # To all of its processes, as a terminal does.
    os.killpg(process.pid, signal.SIGINT)
    # Not by `communicate`, which passes over what the first line's reading took in beyond it.
    rest, told = process.stdout.read(), process.stderr.read()
    assert process.wait(timeout=60) == 130
    sentence = re.fullmatch(r"\n(\d+) of 200 checked(; run the same command again to go on)?\.\n", told)
    assert sentence and bool(sentence.group(2)) == again
    printed = [json.loads(line) for line in (first + rest).splitlines()]
    assert 0 < len(printed) < 200
    assert int(sentence.group(1)) == len(printed)
    if again:
        second = subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=True)
        cached = [json.loads(line)["cached"] for line in second.stdout.splitlines()]
        # Those in hand when the key was pressed may or may not have been stored.
        assert len(cached) == 200
        assert all(cached[: len(printed)])
        assert sum(cached) <= len(printed) + 2 * AHEAD * count_workers(200)


def test_output_that_nobody_reads_any_more_ends_the_run_quietly(many: Path) -> None:
    process = subprocess.Popen(
        [*UNMASK, "check", "--json", "many"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert "Traceback" not in process.stderr.read()
    assert process.wait(timeout=60) == 1
    process.stderr.close()


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_thousand_photos_need_no_more_memory_than_a_few(home: Path, encode: Encode) -> None:
    folder = home / "thousand"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for n in range(1000):
        width, height = rng.integers(64, 800, 2)
        noise = rng.integers(0, 255, (8, 8, 3), np.uint8)
        picture = cv2.resize(noise, (int(width), int(height)), interpolation=cv2.INTER_CUBIC)
        (folder / f"{n}.jpg").write_bytes(encode(picture, "JPEG"))
    program = (
        "import atexit, resource, sys\nfrom backend.cli import main\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "atexit.register(lambda: print(peak(), file=sys.stderr))\nmain()"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, "check", "thousand"], capture_output=True, text=True, check=True
    )
    assert len(run.stdout.splitlines()) == 1001
    assert int(run.stderr.splitlines()[-1]) < 400_000


def test_a_video_is_checked_beside_pictures_with_a_map_of_its_worst_frame(
    run: Run, home: Path, portrait: np.ndarray
) -> None:
    (home / "both").mkdir()
    steps = (np.roll(cv2.resize(portrait, (400, 400)), 4 * n, axis=1) for n in range(6))
    clips.write_clip(home / "both" / "clip.mp4", steps)
    cv2.imwrite(str(home / "both" / "photo.png"), portrait[..., ::-1])
    result = run("check", "--json", "--save-maps", "maps", "both")
    assert result.exit_code == 0, result.output
    clip, photo = lines(result)
    assert [answer["media"]["kind"] for answer in (clip, photo)] == ["video", "image"]
    assert (clip["path"], clip["coverage"]["frames"], len(clip["tracks"])) == ("both/clip.mp4", 6, 1)
    (drawn,) = (home / "maps").glob("clip-*.png")
    assert cv2.imread(str(drawn)).shape == (400, 400, 3)


def test_row_47_a_video_that_cannot_be_read_is_told_in_its_row(run: Run, home: Path) -> None:
    (home / "head.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(40))
    result = run("check", "head.mp4")
    assert result.exit_code == 1
    assert "not checked" in result.stdout and "index" in result.stdout
