"""The command line: `unmask` gathers the commands of every floor; `check` and `serve` belong to this one."""

from __future__ import annotations

import errno
import functools
import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, Protocol

import click

from backend.crew import Failure, check_all, count_workers
from chalicelib import __version__
from chalicelib.errors import SettingsError, TooLarge, UnmaskError
from chalicelib.settings import MODELS, Entry, Settings, describe
from chalicelib.verdicts import format_verdict, spell_probability

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    import numpy as np
    import numpy.typing as npt

    from chalicelib.checks import Checker
    from chalicelib.schema import Check, Face, Point, Signal

    Pixels = npt.NDArray[np.uint8]
    Drawn = Face | Point

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".avif"})
VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".webm", ".mkv"})
# From so many files on, progress is told, at most every so many seconds.
MANY = 20
TELL_EVERY = 5.0
# Widest path column; longer paths push only their own row.
WIDEST_PATH = 60
INTERRUPTED = 130
# What a signal was found as, and what it says of the picture.
FOUND = {
    "generator": "a generator's name",
    "generator_settings": "a generator's settings",
    "generator_workflow": "a generator's workflow",
    "digital_source_type": "its source type",
    "editor": "an editor's trace",
    "camera": "a camera's name",
    "manifest": "a C2PA manifest, not validated here",
    "remote_manifest": "a C2PA manifest elsewhere, not fetched",
    "unreadable": "metadata that cannot be read",
}
DECLARED = {"machine_made": "made by a machine", "edited": "edited", "camera": "taken by a camera"}
TRUST_IN_TAGS = "What files say moves no figure: tags can be removed or forged, and a missing tag means nothing."
NO_PROOF = (
    "No traces found does not make a picture genuine: it says that this model saw nothing that it knows. What it knows "
    "and where it fails: {card}"
)
# What a model says of itself, beside its network.
PAGE_OF_MODEL, CARD_OF_MODEL = "MODEL_CARD.md", "model_card.json"
# From here on a number is spelt with underscores, which Python reads as well.
MANY_DIGITS = 10_000

OURS = ("backend", "chalicelib", "training", "convert")
# The extra that brings a missing module, where it is not `training`.
EXTRAS = {"ray": "batch"}


class Refusal(click.ClickException):
    """Nothing could be done because of how the command was called or installed."""

    exit_code = 2


class Commands(click.Group):
    """Commands of the entry-point group `unmask.commands`, each imported when it is called.

    Those of this file are known without asking, which takes a tenth of a start.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_entry_points())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        own = {"check": check, "serve": serve, "settings": settings}
        if cmd_name in own:
            return own[cmd_name]
        entry = _entry_points().get(cmd_name)
        return entry.load() if entry else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summarise(entry)) for name, entry in sorted(_entry_points().items())])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SettingsError as error:
            raise Refusal(str(error)) from error
        except UnmaskError as error:
            raise click.ClickException(error.message) from error
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            if missing in OURS:
                raise
            extra = EXTRAS.get(missing, "training")
            raise Refusal(f'This command needs more than the base install: pip install "unmask[{extra}]"') from error


def summarise(entry: EntryPoint) -> str:
    """Return the first line of a command's docstring, read from its source.

    Importing it would bring TensorFlow to `unmask --help`, or fail where that is not installed.
    """
    import ast
    from importlib.util import find_spec

    try:
        found = find_spec(entry.module)
    except ModuleNotFoundError:
        found = None
    if found is None or found.origin is None:
        return ""
    module = ast.parse(Path(found.origin).read_text(encoding="utf-8"))
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and node.name == entry.attr:
            return (ast.get_docstring(node) or "").partition("\n")[0]
    return ""


@functools.cache
def _entry_points() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group="unmask.commands")}


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def unmask() -> None:
    """Tell whether a face in a picture or video looks machine-made or manipulated.

    \b
    unmask check portrait.jpg        one verdict, in a table
    unmask serve                     the same in a browser
    """


class Source(click.Path):
    """A file or folder that exists, as a path; or an address of the web, as text."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, str) and re.match(r"https?://", value, re.IGNORECASE):
            return value
        if isinstance(value, str) and re.match(r"[A-Za-z][A-Za-z0-9+.-]*://|data:", value):
            raise Refusal("Only http and https addresses are accepted. Save the file and give its path.")
        return super().convert(value, param, ctx)


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH|URL…", type=Source(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON line a file instead of a table.")
@click.option(
    "--save-maps",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write a PNG a file, with boxes and the areas that raised (orange) or lowered (blue) the score; of a video, "
    "the frame that scored highest.",
)
@click.option("--no-store", is_flag=True, help="Remember nothing, and judge again what was judged before.")
@click.option(
    "--workers", type=click.IntRange(1), help="Processes. [default: one a processor, where there are files enough]"
)
def check(
    paths: tuple[Path | str, ...], as_json: bool, save_maps: Path | None, no_store: bool, workers: int | None
) -> None:
    """Check pictures and videos, folders with all that lie below them, and files at public addresses.

    Files that were checked before are answered from the store (.unmask/, or UNMASK_STORE_PATH), so a run
    that was interrupted goes on where it stopped. Links to folders inside a folder are not followed.

    \b
    unmask check portrait.jpg
    unmask check ~/Pictures --save-maps maps
    unmask check https://example.org/portrait.jpg
    unmask check a.png b.webp --json | jq .verdict
    unmask check clip.mp4 --json | jq '.tracks[].points[] | [.time, .fake_probability]'

    \b
    Exit status: 0 all were checked, 1 something could not be read, 2 wrong usage, 130 interrupted.
    """
    done = failed = 0
    total: int | None = None
    try:
        if save_maps is not None:
            _make_folder(save_maps)
        total, width = survey(paths, save_maps)
        open_checker = functools.partial(_open_checker, remember=not no_store)
        ask = functools.partial(_check_source, maps=save_maps)
        answers = check_all(walk(paths, save_maps), open_checker, ask, workers or count_workers(total))
        report: Report = JsonLines() if as_json else Table(min(width, WIDEST_PATH))
        progress = Progress(total, sys.stderr)
        for path, answer in answers:
            if isinstance(answer, Failure):
                failed += 1
                report.refuse(path, answer.error)
            else:
                report.show(path, answer)
            done += 1
            progress.tell(done)
        report.close()
    except KeyboardInterrupt:
        again = "" if no_store else "; run the same command again to go on"
        click.echo(f"\n{done} of {'?' if total is None else total} checked{again}.", err=True)
        sys.exit(INTERRUPTED)
    if total == 0:
        looked_for = " ".join(sorted(IMAGE_SUFFIXES | VIDEO_SUFFIXES))
        click.echo(f"No pictures or videos there. Looked for: {looked_for}", err=True)
    sys.exit(1 if failed else 0)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Interface to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
def serve(host: str, port: int) -> None:
    """Serve the page and the HTTP API on this machine.

    \b
    unmask serve
    curl --data-binary @portrait.jpg -H "Content-Type: image/jpeg" http://127.0.0.1:8000/v2/checks/image

    The API is described at /v2/openapi.json. Ctrl-C ends it.
    """
    from ipaddress import ip_address

    from backend import app
    from backend.server import Server

    with _quiet_runtime():
        checker = app.checker()
    try:
        server = Server(host, port, checker.settings)
    except OSError as error:
        reason = "it is taken" if error.errno == errno.EADDRINUSE else error.strerror
        raise click.ClickException(
            f"Cannot listen on {host}, port {port}: {reason}. Choose another with --port."
        ) from error
    beyond = not ip_address(str(server.server_address[0])).is_loopback
    if beyond and not checker.settings.access_key:
        server.server_close()
        raise click.UsageError(
            f"{host} can be reached from other machines. Set UNMASK_ACCESS_KEY to a long secret, which the extension's "
            "settings and the page's address, …/#key=SECRET, then have to hold."
        )
    click.echo(f"Unmask is at {server.url}")
    click.echo("Open that in a browser, or give it to the extension as its service. Ctrl-C ends it.")
    if beyond:
        click.echo("Whoever can reach this machine and has the key can use it; the line is not encrypted.", err=True)
    server.run()
    click.echo("Stopped.")


@click.command()
@click.option("--json", "form", flag_value="json", help="An object with all of them.")
@click.option("--markdown", "form", flag_value="markdown", help="The defaults as the README's table.")
def settings(form: str | None) -> None:
    """Show every setting: its value, where that is from, its default, what it is.

    A setting is an environment variable, read once at start.

    \b
    unmask settings
    UNMASK_MAX_FACES=4 unmask settings --json | jq .UNMASK_MAX_FACES
    """
    entries = describe()
    if form == "json":
        told = {
            e.variable: {key: _plain(value) for key, value in asdict(e).items() if key != "variable"} for e in entries
        }
        click.echo(json.dumps(told, indent=1, ensure_ascii=False))
    elif form == "markdown":
        click.echo("| variable | default | what |\n| --- | --- | --- |")
        for entry in entries:
            click.echo(f"| `{entry.variable}` | {spell(entry.default)} | {entry.what} |")
    else:
        show_settings(entries)


def main() -> None:
    """Run `unmask`."""
    unmask(prog_name="unmask")


@dataclass(slots=True)
class Progress:
    """Tells how far a long run is, rarely enough for a log file.

    Attributes:
        total: pictures of the run.
        out: where to tell it.
        clock: seconds.
    """

    total: int
    out: IO[str]
    clock: Callable[[], float] = time.monotonic

    _started: float = 0.0
    _told: float = 0.0

    def __post_init__(self) -> None:
        self._started = self._told = self.clock()

    def tell(self, done: int) -> None:
        """Say that so many are done, if it is time to say so."""
        now = self.clock()
        if self.total < MANY or done == self.total or now - self._told < TELL_EVERY:
            return
        self._told = now
        speed = done / (now - self._started)
        left = (self.total - done) / speed
        click.echo(f"{done} of {self.total} checked, {speed:.1f} a second, {_duration(left)} to go", file=self.out)


class Report(Protocol):
    """What a run prints, picture by picture; holds nothing back."""

    def show(self, path: Path | str, result: Check) -> None:
        """Print a verdict."""

    def refuse(self, path: Path | str, error: UnmaskError) -> None:
        """Print why there is none."""

    def close(self) -> None:
        """Print what is to be said once."""


class JsonLines:
    """A JSON object a line: the check and its path or address, or that and the error."""

    def show(self, path: Path | str, result: Check) -> None:
        click.echo(json.dumps({"path": str(path), **result}))

    def refuse(self, path: Path | str, error: UnmaskError) -> None:
        click.echo(json.dumps({"path": str(path), **error.to_dict()}))

    def close(self) -> None:
        """A program needs no last word."""


class Table:
    """A row a picture, under a heading; below it what the file says of itself."""

    def __init__(self, path_width: int) -> None:
        self._path_width = max(path_width, len("path"))
        self._signals = self._without_traces = 0
        self._row("verdict", "fake", "faces", "path", "reasons")

    def show(self, path: Path | str, result: Check) -> None:
        probability = result["fake_probability"]
        percent = "–" if probability is None else spell_probability(probability)
        reasons = ", ".join(result["reasons"]).replace("_", " ")
        self._row(format_verdict(result["verdict"]), percent, str(len(result["faces"])), printable(path), reasons)
        for signal in result["signals"]:
            click.echo(f"  file says: {word_signal(signal, result['verdict'])}")
        self._signals += len(result["signals"])
        self._without_traces += result["verdict"] == "no_traces"

    def refuse(self, path: Path | str, error: UnmaskError) -> None:
        self._row("not checked", "–", "–", printable(path), error.message)

    def close(self) -> None:
        if self._signals:
            click.echo(TRUST_IN_TAGS)
        if self._without_traces:
            click.echo(NO_PROOF.format(card=find_card(Settings.from_environment().models)))

    def _row(self, verdict: str, percent: str, faces: str, path: str, reasons: str) -> None:
        click.echo(f"{verdict:<15}  {percent:>4}  {faces:>5}  {path:<{self._path_width}}  {reasons}".rstrip())


def find_card(models: Path) -> Path:
    """Return the file in which a model says what it knows: the page for people, or the card where there is no page."""
    page = models / PAGE_OF_MODEL
    return page if page.is_file() else models / CARD_OF_MODEL


def word_signal(signal: Signal, verdict: str) -> str:
    """Return what a file says of itself, and whether the network says the opposite, in one line."""
    from chalicelib.signals import disagrees

    declared = DECLARED.get(signal["declares"] or "")
    words = ", ".join(filter(None, [declared, FOUND[signal["found"]]]))
    value = f": {signal['value']}" if signal["value"] else ""
    against = " – the network disagrees" if disagrees(signal, verdict) else ""
    return f"{words} ({signal['field']}, {signal['strength']}){value}{against}"


def show_settings(entries: Sequence[Entry]) -> None:
    """Print a row a setting."""
    rows = [("setting", "value", "from", "default", "what")]
    for entry in entries:
        source = "environment" if entry.from_environment else "default"
        values = printable(spell(entry.value)), printable(spell(entry.default))
        rows.append((entry.variable, values[0], source, values[1], entry.what.replace("`", "")))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        cells = [cell.ljust(min(width, WIDEST_PATH)) for cell, width in zip(row, widths, strict=False)]
        click.echo("  ".join([*cells, row[4]]))


def spell(value: Any) -> str:
    """Return a setting's value as it may be set; what is said and not set stands in brackets."""
    if value == MODELS:
        return "(the shipped ones)"
    if value in ((), ""):
        return "(none)"
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int):
        return f"{value:_}" if value >= MANY_DIGITS else str(value)
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def walk(paths: Sequence[Path | str], skipped: Path | None = None) -> Iterator[Path | str]:
    """Yield the files and addresses given and the pictures and videos below the folders given, in order of their names.

    Lazily, a folder at a time. Folders that are links are not entered, so a circle of links ends. A folder
    that cannot be listed is yielded itself. The folder `skipped` is not entered: maps are not to be checked.
    """
    for path in paths:
        if isinstance(path, str) or not path.is_dir():
            yield path
            continue
        closed: list[OSError] = []
        for folder, folders, names in os.walk(path, onerror=closed.append):
            folders[:] = sorted(name for name in folders if not _same(Path(folder, name), skipped))
            files = (name for name in sorted(names) if Path(name).suffix.lower() in IMAGE_SUFFIXES | VIDEO_SUFFIXES)
            yield from (Path(folder, name) for name in files)
        yield from (Path(error.filename) for error in closed)


def survey(paths: Sequence[Path | str], skipped: Path | None = None) -> tuple[int, int]:
    """Return how many files `walk` will yield and the length of their longest printed path."""
    total = longest = 0
    for path in walk(paths, skipped):
        total += 1
        longest = max(longest, len(printable(path)))
    return total, longest


def printable(path: Path | str) -> str:
    """Return a path that cannot break a row or steer a terminal: file names may hold any character."""
    return "".join(character if character.isprintable() else "�" for character in str(path))


def map_name(path: Path | str) -> str:
    """Return the name of a picture's map: its own, and digits of its full path or address so that no two collide."""
    if isinstance(path, str):
        # Of an address only what may stand in a file name everywhere.
        name = re.split(r"[?#]", path)[0].rpartition("/")[2]
        full, stem = path, re.sub(r"[^\w-]", "", PurePosixPath(name).stem)
    else:
        full, stem = str(path.absolute()), path.stem
    digest = hashlib.sha256(os.fsencode(full)).hexdigest()
    return f"{stem[:50] or 'picture'}-{digest[:12]}.png"


def read(path: Path, limit: int) -> bytes:
    """Return a file's bytes, never more than the limit and one.

    Raises:
        UnmaskError: it is larger than that, is no regular file, or cannot be read.
    """
    with _open(path) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise TooLarge(f"The picture is larger than {limit / 1e6:g} MB.")
    return data


@contextmanager
def _open(path: Path) -> Iterator[IO[bytes]]:
    """Open a file; what goes wrong in here is told in a sentence."""
    try:
        if not path.is_file():
            raise Unreadable("The folder cannot be read." if path.is_dir() else "This is not a file.")
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise Unreadable(f"The file cannot be read: {error.strerror}.") from error


class Unreadable(UnmaskError):
    """A file cannot be read."""

    status = 422
    code = "unreadable_file"


def _open_checker(*, remember: bool) -> Checker:
    # Loading the networks takes longer than `unmask --help` may.
    from chalicelib.checks import Checker

    with _quiet_runtime():
        return Checker.from_settings(Settings.from_environment(), remember=remember)


@contextmanager
def _quiet_runtime() -> Iterator[None]:
    """Keep LiteRT from greeting on standard error while it loads: it knows no setting for that."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _same(path: Path, other: Path | None) -> bool:
    return other is not None and other.exists() and path.samefile(other)


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refusal(f"The folder {printable(path)} cannot be made: {error.strerror}.") from error


def _check_source(checker: Checker, path: Path | str, *, maps: Path | None) -> Check:
    """Check a file, or what lies at an address, and draw its map."""
    from chalicelib.checks import is_clip
    from chalicelib.clip_header import HEAD
    from chalicelib.videos import spool

    if isinstance(path, str):
        from chalicelib.fetching import fetch

        data = fetch(path, checker.settings)
        if is_clip(data[:HEAD]):
            with spool(data) as clip:
                return _check_clip(checker, clip, maps and maps / map_name(path))
        result = checker.check_fetched(data)
    else:
        with _open(path) as file:
            begins_as_clip = is_clip(file.read(HEAD))
        if begins_as_clip:
            return _check_clip(checker, path, maps and maps / map_name(path))
        data = read(path, checker.settings.max_bytes)
        result = checker.check_image(data)
    if maps is not None:
        from chalicelib.images import decode

        _save_map(decode(data, checker.settings).pixels, result["faces"], maps / map_name(path))
    return result


def _check_clip(checker: Checker, path: Path, map_path: Path | None) -> Check:
    try:
        result = checker.check_video(path)
        if map_path is not None:
            _save_map(*_find_worst_frame(path, result, checker.settings), map_path)
    except OSError as error:
        raise Unreadable(f"The file cannot be read: {error.strerror}.") from error
    return result


def _find_worst_frame(path: Path, result: Check, settings: Settings) -> tuple[Pixels, Sequence[Drawn]]:
    """Return the frame of the decisive track's highest score, and the faces in it; without a face, the first frame."""
    from chalicelib.videos import open_clip

    decisive = [track for track in result["tracks"] if track["verdict"] == result["verdict"]]
    worst = max(
        (track["points"][track["worst"]] for track in decisive), key=lambda p: p["fake_probability"], default=None
    )
    wanted = worst["frame"] if worst else 0
    with open_clip(path, settings) as clip:
        pixels = next(frame.pixels for index, frame in enumerate(clip) if index == wanted)
    return pixels, [point for track in result["tracks"] for point in track["points"] if point["frame"] == wanted]


def _save_map(pixels: Pixels, faces: Sequence[Drawn], path: Path) -> None:
    import cv2

    from backend.overlays import draw

    _, png = cv2.imencode(".png", cv2.cvtColor(draw(pixels, faces), cv2.COLOR_RGB2BGR))
    try:
        path.write_bytes(png.tobytes())
    except OSError as error:
        raise click.ClickException(f"The map {printable(path)} cannot be written: {error.strerror}.") from error


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
