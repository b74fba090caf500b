"""`unmask localise`."""

from __future__ import annotations

import json
import sys
import tempfile
from functools import partial
from pathlib import Path

import click

from training.commands.options import EXISTING_FILE, FACES, ROOT

NEW_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@FACES
@ROOT
@click.option(
    "--model",
    default="int8",
    show_default=True,
    help="int8, float, ensemble, a run folder, a .keras file, or a models folder.",
)
@click.option(
    "--split",
    type=click.Choice(["all", "train", "validation", "test"]),
    default="test",
    show_default=True,
    help="Only this part of the CSV, as `unmask train` splits it.",
)
@click.option(
    "--located",
    type=EXISTING_FILE,
    help="faces_found.csv of a training; goes on with it where it lacks a picture. [default: finds the faces now]",
)
@click.option("--limit", type=click.IntRange(1), default=400, show_default=True, help="At most so many photos.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the split and of every draw.")
@click.option("--json", "out", type=NEW_FILE, help="Write all figures here.")
@click.option("--sheet", type=NEW_FILE, help="Write a contact sheet of photos, fakes, masks and maps here.")
@click.option("--shown", type=click.IntRange(1, 400), default=24, show_default=True, help="How many the sheet shows.")
def localise(
    faces: Path,
    root: Path | None,
    model: str,
    split: str,
    located: Path | None,
    limit: int,
    seed: int,
    out: Path | None,
    sheet: Path | None,
    shown: int,
) -> None:
    """Measure whether evidence maps show where a face was forged.

    Blends real photos of the CSV with themselves, in a part of the face that is known, and prints how much of what
    raised the score lies there, and how much evidence the maps of the untouched photos hold.

    \b
    unmask localise --faces my/faces.csv
    unmask localise --faces my/faces.csv --model runs/mine --located runs/mine/faces_found.csv --sheet maps.png
    """
    from chalicelib.errors import UnmaskError
    from chalicelib.settings import Settings
    from training.evaluation import to_json
    from training.evidence_sheet import draw_examples
    from training.faces import locate_faces
    from training.files import WriteFailed, replacing
    from training.localisation import format_localisation
    from training.localisation import localise as measure
    from training.manifest import read_manifest
    from training.models import load_model
    from training.progress import every
    from training.splits import limit_by_class, split_by_group

    say = partial(click.echo, err=True)
    settings, root = Settings.from_environment(), root or faces.parent
    try:
        scorer = load_model(model, settings)
        samples = read_manifest(faces)
        part = samples if split == "all" else split_by_group(samples, seed)[split]
        photos = limit_by_class([sample for sample in part if not sample.label], limit, seed)
        with tempfile.TemporaryDirectory() as folder:
            cache = located or Path(folder) / "faces_found.csv"
            try:
                found = locate_faces(photos, root, cache, settings, every(5, "faces searched in", say))
            except ValueError as error:
                raise click.ClickException(f"{cache} is not a list of faces found: {error}") from error
        measured = measure(
            scorer,
            photos,
            found,
            root,
            settings,
            limit=limit,
            seed=seed,
            shown=shown if sheet else 0,
            progress=every(5, "forged and scored", say),
        )
        click.echo(format_localisation(measured.figures))
        if out is not None:
            with replacing(out) as unfinished:
                unfinished.write_text(json.dumps(to_json(measured.figures), indent=1) + "\n", encoding="utf-8")
            say(f"wrote {out}")
        if sheet is not None:
            title = f"{len(measured.examples)} photos of {faces.name}, model {Path(model).name}"
            drawn = draw_examples(measured.examples, title)
            with replacing(sheet) as unfinished:
                drawn.save(unfinished, "PNG")
            say(f"wrote {sheet}")
    except (ValueError, WriteFailed, UnmaskError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        say("Stopped before the end; nothing more was written.")
        sys.exit(130)
