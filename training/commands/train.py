"""`unmask train`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from training.commands.options import FACES, ROOT


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
