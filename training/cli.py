"""`unmask train` and `unmask evaluate`."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import click

from chalicelib.errors import UnmaskError
from chalicelib.settings import Settings

EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
EXISTING_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)

FACES = click.option(
    "--faces",
    required=True,
    type=EXISTING_FILE,
    help="CSV: path, label, and if you can source, method, group.",
)
ROOT = click.option(
    "--root", type=EXISTING_FOLDER, help="Folder that the paths start from. [default: the CSV's folder]"
)


@click.command()
@FACES
@ROOT
@click.option("--out", default="runs/student", show_default=True, type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--weights",
    default="imagenet",
    show_default=True,
    help="imagenet, none, a .weights.h5 backbone, or a student.keras to go on from.",
)
@click.option("--side", default=160, show_default=True, help="Side of the network's input, px.")
@click.option("--width", default=1.0, show_default=True, help="MobileNetV2's width (alpha).")
@click.option("--unfreeze-from", default=4, show_default=True, help="First block that is trained.")
@click.option("--epochs", default=10, show_default=True)
@click.option("--steps", default=150, show_default=True, help="Batches an epoch.")
@click.option("--batch-size", default=32, show_default=True)
@click.option("--learning-rate", default=4e-4, show_default=True)
@click.option(
    "--weight",
    "weights_of_sources",
    multiple=True,
    metavar="SOURCE=N",
    help="Draw a source N times as often; repeatable.",
)
@click.option("--self-blended", default=0.5, show_default=True, help="Share of the fakes made by self-blending.")
@click.option("--seed", default=0, show_default=True)
def train(
    faces: Path,
    root: Path | None,
    out: Path,
    weights: str,
    weights_of_sources: tuple[str, ...],
    **recipe: int | float,
) -> None:
    """Train the student network on labelled faces.

    The split is 70/15/15 by group. Everything lands in the --out folder: faces found, history, curves, the
    last checkpoint and, at the end, student.keras. Stop it whenever you like; the same command goes on
    after the last whole epoch.

    \b
    unmask train --faces my/faces.csv --out runs/mine
    unmask train --faces my/faces.csv --out runs/mine --weight ffpp=3 --epochs 20
    """
    from training.manifest import ManifestError
    from training.trainer import Recipe, RunMismatch
    from training.trainer import train as run_training

    try:
        settled = Recipe(weights=weights, source_weights=_parse_weights(weights_of_sources), **recipe)  # type: ignore[arg-type]
        run_training(settled, faces, root or faces.parent, out, report=click.echo)
    except (ManifestError, RunMismatch, ValueError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo("Stopped. The same command goes on after the last whole epoch.", err=True)
        sys.exit(130)


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


def _parse_weights(texts: tuple[str, ...]) -> dict[str, float]:
    weights = {}
    for text in texts:
        source, _, number = text.rpartition("=")
        try:
            weights[source] = float(number)
        except ValueError:
            weights[source] = -1.0
        if not source or not weights[source] > 0:
            raise click.BadParameter(f"--weight takes SOURCE=N with N above 0. Received: {text!r}")
    return weights
