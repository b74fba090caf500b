"""`unmask probe`."""

from __future__ import annotations

import json
import sys
import tempfile
from functools import partial
from pathlib import Path

import click

from training.commands.options import EXISTING_FILE, EXISTING_FOLDER, FACES, ROOT

NEW_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@FACES
@ROOT
@click.option(
    "--run",
    type=EXISTING_FOLDER,
    help="Folder of a training: its recipe says what is drawn and how often. [default: the preset student]",
)
@click.option(
    "--located",
    type=EXISTING_FILE,
    help="faces_found.csv of a training; goes on with it where it lacks a picture. [default: that of --run, or finds "
    "the faces now]",
)
@click.option("--pictures", type=click.IntRange(50), default=1200, show_default=True, help="Pictures probed.")
@click.option("--views", type=click.IntRange(50), default=2400, show_default=True, help="Views of a training probed.")
@click.option("--json", "out", type=NEW_FILE, help="Write the figures here.")
def probe(
    faces: Path, root: Path | None, run: Path | None, located: Path | None, pictures: int, views: int, out: Path | None
) -> None:
    """Try whether fake can be told from real without looking at a face.

    Two plain classifiers see no face: one is shown the file alone, one the surroundings. They are tried on the pictures
    of the training part as they are (raw), after the training's augmentation (augmented), and as a training draws them
    (trained), also apart for collected pictures and for the pairs that a training makes. Near .5 there is no cue.

    \b
    unmask probe --faces my/faces.csv
    unmask probe --faces my/faces.csv --run runs/mine --json probes.json
    """
    from chalicelib.errors import UnmaskError
    from chalicelib.settings import Settings
    from training.batches import FaceBatches
    from training.bench import thin
    from training.evaluation import to_json
    from training.faces import FOUND, locate_faces
    from training.files import WriteFailed, replacing
    from training.forgeries.mix import Mix
    from training.manifest import read_manifest
    from training.probes import format_probes, probe_training
    from training.probes import probe as probe_pictures
    from training.progress import every
    from training.recipe import Recipe
    from training.records import read_record
    from training.scoring import Found
    from training.splits import leave_out, limit_by_class, split_by_group

    say = partial(click.echo, err=True)
    settings, root = Settings.from_environment(), root or faces.parent
    try:
        recipe = Recipe.from_dict(read_record(run / "record.json")["config"]) if run else Recipe()
        if recipe.sampling != "draws":
            raise click.UsageError("--run must be a training by draws; another shows its pictures as they are.")
        parts = leave_out(split_by_group(read_manifest(faces), recipe.seed), recipe.left_out)
        samples = limit_by_class(parts["train"], recipe.limit, recipe.seed)
        with tempfile.TemporaryDirectory() as folder:
            cache = located or (run or Path(folder)) / FOUND
            try:
                found = locate_faces(samples, root, cache, settings, every(5, "faces searched in", say))
            except ValueError as error:
                raise click.ClickException(f"{cache} is not a list of faces found: {error}") from error
        samples = [sample for sample in samples if sample.path in found]
        probed = probe_pictures(
            thin(samples, pictures),
            root,
            {path: Found((face.box,)) for path, face in found.items()},
            settings,
            seed=recipe.seed,
            progress=every(5, "pictures probed", say),
        )
        draws = FaceBatches(
            samples,
            found,
            root,
            side=recipe.side,
            batch_size=recipe.batch_size,
            weights=recipe.source_weights,
            mix=Mix.of(recipe),
            posted=recipe.posted,
            settings=settings,
            seed=recipe.seed,
            fine=recipe.fine,
            native=recipe.native,
        )
        trained = probe_training(draws, views=views, seed=recipe.seed, progress=every(5, "views probed", say))
        figures = {name: {**probed[name], **trained[name]} for name in probed}
        click.echo(format_probes(figures))
        if out is not None:
            with replacing(out) as unfinished:
                unfinished.write_text(json.dumps(to_json(figures), indent=1) + "\n", encoding="utf-8")
            say(f"wrote {out}")
    except (ValueError, WriteFailed, UnmaskError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        say("Stopped before the end; nothing was written.")
        sys.exit(130)
