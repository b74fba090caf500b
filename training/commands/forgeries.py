"""`unmask forgeries`."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import click

from chalicelib.errors import UnmaskError
from chalicelib.settings import Settings
from training.commands.options import EXISTING_FILE, FACES, ROOT

KINDS = ("self-blended", "swapped", "upsampled", "reconstructed", "restored", "edited")
PARTS = ("train", "validation", "test")
MOST_SHOWN = 400


@click.command()
@FACES
@ROOT
@click.option(
    "--located",
    type=EXISTING_FILE,
    help="faces_found.csv of a training; goes on with it where it lacks a picture. [default: finds some faces now]",
)
@click.option("--kind", type=click.Choice(["all", *KINDS]), default="all", show_default=True)
@click.option(
    "--network",
    "networks",
    multiple=True,
    metavar="NAME|FOLDER",
    help="What photos are reconstructed or restored by: taef2, a folder of `unmask autoencoders`, or a network for "
    "restoration such as span-x2; repeatable. [default: taef2; all that restore]",
)
@click.option("--count", type=click.IntRange(1), default=24, show_default=True, help="How many to show or write.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Another seed shows others.")
@click.option(
    "--out",
    default="forgeries.png",
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The picture to write.",
)
@click.option(
    "--pairs",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Write pairs of photo and forgery instead, as collections for `unmask dataset`: NAME-original and NAME.",
)
@click.option(
    "--part",
    type=click.Choice(PARTS),
    default="train",
    show_default=True,
    help="With --pairs: the part of the split whose photos are used.",
)
@click.option("--name", help="With --pairs: of the collection. [default: the network or the kind]")
@click.option(
    "--side",
    type=click.IntRange(64, 2048),
    default=640,
    show_default=True,
    help="With --pairs: largest side of a square, px; smaller ones keep their native size.",
)
def forgeries(
    faces: Path,
    root: Path | None,
    located: Path | None,
    kind: str,
    networks: tuple[str, ...],
    count: int,
    seed: int,
    out: Path,
    pairs: Path | None,
    part: str,
    name: str | None,
    side: int,
) -> None:
    """Show, or write, the fakes that a training makes from real photos.

    Draws a sheet with the real picture, the fake, the mask and their difference, for as many photos as
    --count says. Fake pictures of the CSV are not used. Everything is drawn from the seed.

    With --pairs, squares of photos and their forgeries are written as pictures without loss, two collections for each
    network, so that a training needs no auto-encoder while it runs. Stop it whenever you like; the same command goes
    on, and with a larger --count it adds to what is there.

    \b
    unmask forgeries --faces my/faces.csv
    unmask forgeries --faces my/faces.csv --located runs/mine/faces_found.csv --kind swapped --out swaps.png
    unmask forgeries --faces my/faces.csv --kind reconstructed --pairs collections --count 900
    unmask dataset collections --out data
    """
    from training.files import replacing
    from training.forgeries.gallery import draw_forgeries
    from training.forgeries.pairs import Plan, write_pairs
    from training.forgeries.remakers import Remakers, name_network
    from training.forgeries.restoration import RESTORERS
    from training.forgeries.sheet import draw_sheet
    from training.manifest import read_manifest
    from training.progress import every

    restoring = kind == "restored"
    if networks and kind not in ("reconstructed", "restored"):
        raise click.UsageError("--network goes with --kind reconstructed or --kind restored.")
    if pairs is None and count > MOST_SHOWN:
        raise click.UsageError(f"a sheet shows at most {MOST_SHOWN} forgeries; --pairs writes more.")
    if pairs is not None and kind == "all":
        raise click.UsageError("--pairs writes forgeries of one --kind.")
    if name is not None and len(networks) > 1:
        raise click.UsageError("--name names the pairs of one --network.")
    settings, say = Settings.from_environment(), partial(click.echo, err=True)
    codecs, restorers = networks or ("taef2",), networks or tuple(RESTORERS)
    try:
        samples = read_manifest(faces)
        if pairs is not None:
            used = restorers if restoring else codecs if kind == "reconstructed" else (kind,)
            for network in used:
                family = name_network(network)
                made = write_pairs(
                    Plan(name or family, kind, family, part, count, side=side, seed=seed),
                    samples,
                    root or faces.parent,
                    pairs,
                    remakers=Remakers((network,), (network,)),
                    settings=settings,
                    located=located,
                    report=say,
                )
                say(f"{pairs / (name or family)}: {made} pairs")
            return
        forged = draw_forgeries(
            samples,
            root or faces.parent,
            located,
            kinds=KINDS if kind == "all" else (kind,),
            count=count,
            seed=seed,
            settings=settings,
            remakers=Remakers(codecs, restorers),
            progress=every(5, "looked for a face in", say),
        )
        sheet = draw_sheet(forged, f"{len(forged)} forgeries, kind {kind}, seed {seed}, from {faces.name}")
        with replacing(out) as unfinished:
            sheet.save(unfinished, "PNG")
    except (ValueError, UnmaskError, OSError, RuntimeError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        say(
            "Stopped; no sheet was written."
            if pairs is None
            else "Stopped. The same command goes on; a collection without a collection.toml is not whole yet."
        )
        sys.exit(130)
    if len(forged) < count:
        say(f"Made {len(forged)} of {count}: no more photos fit.")
    say(f"wrote {out}")
