"""`unmask autoencoders`."""

from __future__ import annotations

import sys
from functools import partial
from itertools import product
from pathlib import Path

import click

from training.commands.options import FACES, ROOT

WAYS = ("nearest", "transposed", "shuffle")
FACTORS = ("2", "4", "8")
LOSSES = ("mae", "mse", "edges")


@click.command()
@FACES
@ROOT
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder to write into.")
@click.option(
    "--way", "ways", multiple=True, type=click.Choice(WAYS), help="How it enlarges; repeatable. [default: all]"
)
@click.option(
    "--factor",
    "factors",
    multiple=True,
    type=click.Choice(FACTORS),
    help="How many times a side is divided; repeatable. [default: all]",
)
@click.option("--loss", type=click.Choice(LOSSES), default="mae", show_default=True, help="What it is taught by.")
@click.option("--steps", type=click.IntRange(1), default=1500, show_default=True, help="Batches each is trained by.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Fixes the split and every draw.")
def autoencoders(
    faces: Path,
    root: Path | None,
    out: Path,
    ways: tuple[str, ...],
    factors: tuple[str, ...],
    loss: str,
    steps: int,
    seed: int,
) -> None:
    """Train small auto-encoders on real photos, to make forgeries by.

    Each becomes a folder of --out that `unmask forgeries --network FOLDER` and `unmask train --codec FOLDER` take.
    Their decoders enlarge in different ways and so leave different traces: one that is left out shows what a detector
    makes of a decoder that it never saw. What is there already is passed over.

    \b
    unmask autoencoders --faces my/faces.csv --out autoencoders
    unmask forgeries --faces my/faces.csv --kind reconstructed --network autoencoders/shuffle-x4-mae
    """
    from chalicelib.errors import UnmaskError
    from chalicelib.settings import Settings
    from training.autoencoding import train_autoencoders
    from training.files import WriteFailed
    from training.manifest import read_manifest

    say = partial(click.echo, err=True)
    kinds = [(way, int(factor)) for way, factor in product(ways or WAYS, factors or FACTORS)]
    try:
        folders = train_autoencoders(
            kinds,
            read_manifest(faces),
            root or faces.parent,
            out,
            loss=loss,
            steps=steps,
            seed=seed,
            settings=Settings.from_environment(),
            report=say,
        )
    except (ValueError, WriteFailed, UnmaskError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        say("Stopped. The same command goes on with the first that is not there yet.")
        sys.exit(130)
    for folder in folders:
        click.echo(folder)
