"""`unmask flags`: what is to be looked at again, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, get_args
from urllib.parse import urlsplit

import click

from backend.cli import printable
from chalicelib.flags import LOCAL
from chalicelib.schema import FlagState
from chalicelib.settings import Settings
from chalicelib.verdicts import format_verdict, spell_probability

if TYPE_CHECKING:
    from chalicelib.flag_desk import FlagDesk
    from chalicelib.flag_store import FlagStore
    from chalicelib.schema import Flag, Score

# Flags that are read at once, and more than anybody has.
PAGE = 500
EVERYTHING = 10**9
# A row is for the eye; `--json` has all of it.
WIDEST_HOST = 40
WIDEST_NOTE = 60


@click.group(invoke_without_command=True)
@click.option("--state", type=click.Choice(get_args(FlagState)), help="Only flags in it.")
@click.option("--owner", metavar="PERSON", help="Only those of one person, by the id that the user pool has of them.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="The newest so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line a flag instead of a table.")
@click.pass_context
def flags(context: click.Context, state: FlagState | None, owner: str | None, limit: int, as_json: bool) -> None:
    """List, add, show and delete flags: pictures that `unmask rescore` looks at again.

    \b
    unmask flags
    unmask flags --state needs_review --json | jq .error
    unmask flags add https://example.org/portrait.jpg --note "odd ear" --keep
    unmask flags add --check 5f0c…  --note "odd ear"
    unmask flags show 9ab1…
    unmask flags delete 9ab1…
    """
    if context.invoked_subcommand is not None:
        return
    with _open_store() as store:
        found = 0
        for flag in _walk(store, state, limit, owner):
            if not found and not as_json:
                click.echo(_row("state", "before", "after", "flagged", "where", "id", ""))
            found += 1
            click.echo(json.dumps(flag) if as_json else describe(flag))
    if not found and not as_json:
        click.echo("No flags." if state is None else f"No flags that are {state.replace('_', ' ')}.", err=True)


@flags.command()
@click.argument("url", required=False)
@click.option("--check", "check_id", metavar="ID", help="A check that is doubted.")
@click.option(
    "--picture", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The file that it judged."
)
@click.option("--note", default="", help="In your own words.")
@click.option("--keep", is_flag=True, help="Keep the picture until it is looked at, for UNMASK_KEEP_DAYS at most.")
def add(url: str | None, check_id: str | None, picture: Path | None, note: str, keep: bool) -> None:
    """Flag an address, or a check, or both; print the flag."""
    import base64

    told: dict[str, object] = {"note": note, "keep": keep or picture is not None}
    if url is not None:
        told["url"] = url
    if check_id is not None:
        told["check_id"] = check_id
    if picture is not None:
        told["picture"] = base64.b64encode(picture.read_bytes()).decode()
    with _open_desk() as desk:
        click.echo(json.dumps(desk.take(json.dumps(told).encode(), LOCAL), indent=1))


@flags.command()
@click.argument("flag_id", metavar="ID")
def show(flag_id: str) -> None:
    """Print a flag and what came of it."""
    with _open_store() as store:
        click.echo(json.dumps(store.get(flag_id), indent=1))


@flags.command()
@click.argument("flag_ids", metavar="[ID]…", nargs=-1)
@click.option("--owner", metavar="PERSON", help="All of one person's, instead of ids.")
def delete(flag_ids: tuple[str, ...], owner: str | None) -> None:
    """Forget flags and the pictures that are kept for them."""
    if bool(flag_ids) == (owner is not None):
        raise click.UsageError("Say either which flags, or whose.")
    from chalicelib.stores import open_pictures

    settings = Settings.from_environment()
    pictures = open_pictures(settings)
    with _open_store() as store:
        chosen = flag_ids if owner is None else [flag["id"] for flag in _walk(store, None, EVERYTHING, owner)]
        for flag_id in chosen:
            store.delete(flag_id)
            pictures.delete(flag_id)


def describe(flag: Flag) -> str:
    """Return a flag as one row for the eye; of its address the host alone, for an address may hold secrets."""
    after = flag["after"]
    return _row(
        flag["state"].replace("_", " "),
        _spell(flag["before"]),
        "–" if after is None else f"{_spell(after['score'])}, {after['picture']}",
        flag["created_at"][:10],
        printable((urlsplit(flag["url"]).hostname or "") if flag["url"] else "–")[:WIDEST_HOST],
        flag["id"],
        printable(flag["note"])[:WIDEST_NOTE],
    )


def _walk(store: FlagStore, state: FlagState | None, limit: int, owner: str | None) -> Iterator[Flag]:
    cursor: str | None = None
    while limit > 0:
        page = store.browse(state, min(limit, PAGE), cursor, owner=owner)
        yield from page["flags"]
        limit -= len(page["flags"])
        cursor = page["cursor"]
        if cursor is None:
            return


def _spell(score: Score | None) -> str:
    if score is None:
        return "–"
    words = format_verdict(score["verdict"])
    return words if score["fake_probability"] is None else f"{words} {spell_probability(score['fake_probability'])}"


def _row(state: str, before: str, after: str, day: str, where: str, flag_id: str, note: str) -> str:
    return f"{state:<12}  {before:<19}  {after:<28}  {day:<10}  {flag_id:<32}  {where:<24}  {note}".rstrip()


@contextmanager
def _open_store() -> Iterator[FlagStore]:
    from chalicelib.stores import open_flags

    with closing(open_flags(Settings.from_environment())) as store:
        yield store


@contextmanager
def _open_desk() -> Iterator[FlagDesk]:
    from chalicelib.checks import Checker
    from chalicelib.flag_desk import FlagDesk
    from chalicelib.stores import open_pictures

    settings = Settings.from_environment()
    with _open_store() as store, closing(Checker.from_settings(settings)) as checker:
        yield FlagDesk(checker, store, open_pictures(settings))
