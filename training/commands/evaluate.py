"""`unmask evaluate`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from chalicelib.errors import UnmaskError
from chalicelib.settings import Settings
from training.commands.options import FACES, ROOT


@click.command()
@FACES
@ROOT
@click.option("--model", default="int8", show_default=True, help="int8, float, a .keras file, or a models folder.")
@click.option(
    "--split",
    type=click.Choice(["all", "train", "validation", "test"]),
    default="all",
    show_default=True,
    help="Only this part of the CSV, as `unmask train` splits it.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of that split.")
@click.option(
    "--json",
    "out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write figures and every score here.",
)
def evaluate(faces: Path, root: Path | None, model: str, split: str, seed: int, out: Path | None) -> None:
    """Score labelled pictures and print how good the scores are.

    Every file goes the whole path of a user's picture: decode, find faces, crop, score, calibrate. Pictures
    without a face get no score and are counted as unscored.

    \b
    unmask evaluate --faces my/faces.csv
    unmask evaluate --faces my/faces.csv --split test --model float --json build/float.json
    """
    from training.evaluation import format_table, load_model, score, summarise, write_report
    from training.manifest import ManifestError, read_manifest
    from training.progress import every
    from training.splits import split_by_group

    settings = Settings.from_environment()
    say = partial(click.echo, err=True)
    try:
        samples = read_manifest(faces)
        if split != "all":
            samples = split_by_group(samples, seed)[split]
        if not samples:
            raise click.ClickException(f"{faces} names no picture.")
        rows = score(samples, root or faces.parent, load_model(model, settings), settings, every(5, "checked", say))
    except (ManifestError, UnmaskError) as error:
        raise click.ClickException(str(error)) from error
    metrics = summarise(rows)
    click.echo(format_table(metrics))
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_report(rows, metrics, out)
        click.echo(f"wrote {out}", err=True)
