"""`unmask dataset`."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from chalicelib.processes import count_processors
from training.commands.options import EXISTING_FOLDER

INTERRUPTED = 130


@click.command()
@click.argument("source", metavar="FOLDER|CSV", type=click.Path(exists=True, path_type=Path))
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder of the data set.")
@click.option("--root", type=EXISTING_FOLDER, help="Folder that a CSV's paths start from. [default: the CSV's folder]")
@click.option(
    "--layout",
    type=click.Choice(["auto", "collections", "faceforensics", "celeb-df", "dfdc", "folders", "named"]),
    default="auto",
    show_default=True,
    help="How a folder tells real from fake.",
)
@click.option("--frames", default="even:10", show_default=True, help="every:N, second (one a second) or even:N.")
@click.option(
    "--scale",
    type=click.Choice(["none", "deepfake-detect"]),
    default="none",
    show_default=True,
    help="Resize frames first; deepfake-detect: ×2 below 300 px of width, ×1 to 1000, ×0.5 to 1900, ×0.33 above.",
)
@click.option(
    "--faces",
    type=click.Choice(["largest", "all"]),
    default="largest",
    show_default=True,
    help="Which faces of a frame; `all` also takes bystanders, whom nobody manipulated.",
)
@click.option(
    "--least-confidence", default=0.95, show_default=True, help="Least confidence where a frame has several faces."
)
@click.option("--margin", default=0.3, show_default=True, help="Added on each side, in units of the face's box.")
@click.option("--side", default=0, help="Largest side of a picture, px; faces are never enlarged. [default: no limit]")
@click.option("--format", type=click.Choice(["jpeg", "png"]), default="jpeg", show_default=True)
@click.option(
    "--near", default=4, show_default=True, help="Bits of 64 in which near-duplicates may differ; -1 keeps all."
)
@click.option(
    "--persons",
    is_flag=True,
    help="Keep each person in one part: faces that show one person are found by dlib's network; needs the extra "
    "persons, and a tenth of a second a face.",
)
@click.option(
    "--group-by",
    type=click.Choice(["clip", "folder"]),
    default="clip",
    show_default=True,
    help="What must not be split, in folders real/ and fake/: files of one name, or of one folder.",
)
@click.option(
    "--balance",
    type=click.Choice(["none", "undersample", "weights"]),
    default="none",
    show_default=True,
    help="Thin the larger class, or add a column by which classes and sources weigh the same.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the split and of every draw.")
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=count_processors,
    help="Processes. [default: one a core]",
)
def dataset(source: Path, out: Path, root: Path | None, workers: int, **choices: Any) -> None:
    """Build a data set of faces from a folder or a CSV of videos and photos.

    Frames are taken, faces found and cut, near-duplicates dropped, people kept together, and the groups split
    70/15/15. The --out folder receives faces.csv with the pictures, which `unmask train` takes, and report.html.
    Stop it whenever you like; the same command goes on, and takes in files that were added.

    \b
    A folder is recognised by what is in it:
    collections    folders with a collection.toml (name, label, family, origin, terms) beside images/
    faceforensics  original_sequences/… and manipulated_sequences/…
    celeb-df       Celeb-real, Celeb-synthesis, YouTube-real
    dfdc           parts with a metadata.json
    folders        real/ and fake/, at any depth
    named          files called real_…, original_…, fake_…, deepfakes_… and so on
    A CSV needs the columns path and label, and may have source, method, group and split.

    \b
    unmask dataset ~/clips --out data/clips
    unmask dataset clips.csv --root ~/clips --frames second --balance weights --out data/clips

    \b
    Exit status: 0 built, 1 not possible (a sentence says why), 2 wrong usage, 130 interrupted.
    """
    from chalicelib.errors import UnmaskError
    from chalicelib.settings import Settings
    from training.datasets.builder import build
    from training.datasets.clips import DatasetError
    from training.datasets.plan import Plan
    from training.files import WriteFailed
    from training.manifest import ManifestError

    say = partial(click.echo, err=True)
    try:
        settings = Settings.from_environment()
        summary = build(source, out, Plan(**choices), root=root, workers=workers, settings=settings, report=say)
    except (DatasetError, ManifestError, UnmaskError, WriteFailed) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}.") from error
    except KeyboardInterrupt:
        say("\nStopped. What is done is kept; the same command goes on.")
        sys.exit(INTERRUPTED)
    _show(summary, out)


def _show(summary: dict[str, Any], out: Path) -> None:
    files, faces = summary["files"], summary["faces"]
    skipped = files["no_face"] + files["unreadable"] + files["left_out"]
    click.echo(f"{files['used']} files used, {skipped} not ({files['no_face']} without a face).")
    click.echo(f"{faces['kept']} faces of {faces['found']} in {summary['groups']} groups.")
    click.echo(f"{'part':<12}{'real':>8}{'fake':>8}{'groups':>8}")
    for part, row in summary["parts"].items():
        click.echo(f"{part:<12}{row['real']:>8}{row['fake']:>8}{row['groups']:>8}")
    for finding in summary["findings"]:
        click.echo(f"note: {finding}")
    click.echo(f"{out / 'faces.csv'} is ready to train on; {out / 'report.html'} shows what is in it.")
