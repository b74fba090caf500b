"""`unmask forgeries`."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import click

from chalicelib.errors import UnmaskError
from chalicelib.settings import Settings
from training.commands.options import EXISTING_FILE, FACES, ROOT

KINDS = ("self-blended", "swapped", "upsampled")


@click.command()
@FACES
@ROOT
@click.option(
    "--located",
    type=EXISTING_FILE,
    help="faces_found.csv of a training; goes on with it where it lacks a picture. [default: finds some faces now]",
)
@click.option("--kind", type=click.Choice(["all", *KINDS]), default="all", show_default=True)
@click.option("--count", type=click.IntRange(1, 400), default=24, show_default=True, help="How many to show.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Another seed shows others.")
@click.option(
    "--out",
    default="forgeries.png",
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The picture to write.",
)
def forgeries(
    faces: Path, root: Path | None, located: Path | None, kind: str, count: int, seed: int, out: Path
) -> None:
    """Show the fakes that a training makes from real photos.

    Draws a sheet with the real picture, the fake, the mask and their difference, for as many photos as
    --count says. Fake pictures of the CSV are not used. Everything is drawn from the seed.

    \b
    unmask forgeries --faces my/faces.csv
    unmask forgeries --faces my/faces.csv --located runs/mine/faces_found.csv --kind swapped --out swaps.png
    """
    from training.files import replacing
    from training.forgeries.gallery import GalleryError, draw_forgeries
    from training.forgeries.sheet import draw_sheet
    from training.manifest import ManifestError, read_manifest
    from training.progress import every

    say = partial(click.echo, err=True)
    try:
        made = draw_forgeries(
            read_manifest(faces),
            root or faces.parent,
            located,
            kinds=KINDS if kind == "all" else (kind,),
            count=count,
            seed=seed,
            settings=Settings.from_environment(),
            progress=every(5, "looked for a face in", say),
        )
        sheet = draw_sheet(made, f"{len(made)} forgeries, kind {kind}, seed {seed}, from {faces.name}")
        with replacing(out) as unfinished:
            sheet.save(unfinished, "PNG")
    except (GalleryError, ManifestError, UnmaskError, OSError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        say("Stopped; no sheet was written.")
        sys.exit(130)
    if len(made) < count:
        say(f"Made {len(made)} of {count}: no more photos fit.")
    say(f"wrote {out}")
