"""`unmask train`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from training.commands.options import EXISTING_FILE, ROOTS, SETS, open_sets
from training.presets import PRESETS, PROJECTS, Preset, find
from training.recipe import FORGERIES, Phase, Recipe, override


def list_presets(context: click.Context, option: click.Parameter, wanted: bool) -> None:
    """Print every preset and leave."""
    if wanted and not context.resilient_parsing:
        click.echo("\n\n".join(describe(preset) for preset in PRESETS.values()))
        context.exit()


@click.command()
@click.option(
    "--list", is_flag=True, is_eager=True, expose_value=False, callback=list_presets, help="Print all presets."
)
@SETS
@ROOTS
@click.option("--preset", help="What is trained and how; see --list.  [default: student]")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Run folder.  [default: runs/PRESET]")
@click.option(
    "--repeat",
    type=EXISTING_FILE,
    metavar="RECORD.json",
    help="Do again what a record tells, on the same data; instead of --preset and all that changes one.",
)
@click.option("--weights", help="Start: imagenet, none, a .weights.h5 of the backbone, or a .keras to go on from.")
@click.option("--side", type=int, help="Side of the network's input, px.")
@click.option("--epochs", type=int, help="At most so many in each phase; 0 saves the network that it starts from.")
@click.option("--batch-size", type=int)
@click.option("--learning-rate", type=float, help="Of the first phase; later ones keep their proportion to it.")
@click.option("--limit", type=int, metavar="N", help="At most N training pictures a class.")
@click.option("--steps", type=int, help="Batches an epoch; student and high-pass.")
@click.option(
    "--weight",
    "source_weights",
    multiple=True,
    metavar="SOURCE=N",
    help="Draw a source N times as often; repeatable; student and high-pass.",
)
@click.option("--native", type=float, help="Share of the views cut at native size from large faces; likewise.")
@click.option("--fine", type=float, help="Share of the views that are hardly degraded; student and high-pass.")
@click.option("--self-blended", type=float, help="Share of the fakes made by self-blending; student and high-pass.")
@click.option("--swapped", type=float, help="Share made by laying another face over; student and high-pass.")
@click.option("--upsampled", type=float, help="Share made by remaking a part from fewer numbers; likewise.")
@click.option("--reconstructed", type=float, help="Share made by sending photos through an auto-encoder; slow.")
@click.option(
    "--codec",
    "codecs",
    multiple=True,
    metavar="NAME|FOLDER",
    help="Which auto-encoder: taef2, or a folder of `unmask autoencoders`; repeatable. [default: taef2]",
)
@click.option("--restored", type=float, help="Share made by networks that sharpen photos; likewise.")
@click.option("--edited", type=float, help="Share made by taking mouth, eyes or inner face over; likewise.")
@click.option("--posted", type=float, help="Share of the views that come through social networks; likewise.")
@click.option(
    "--leave-out",
    "left_out",
    multiple=True,
    metavar="FAMILY",
    help="Neither train nor validate on the fakes of this source or method; repeatable. `unmask evaluate` then tells "
    "how the network does on what it never saw.",
)
@click.option("--map-weight", type=float, help="How much the cells of the evidence map count; likewise, 0 for none.")
@click.option("--teacher", metavar="FILE", help="A .keras network, an ensemble's say, whose logits are learnt too.")
@click.option("--distilled", type=float, help="Share of the logit's loss that is the distance from the teacher.")
@click.option(
    "--taught",
    multiple=True,
    metavar="SOURCE",
    help="Ask the teacher about whole faces of this source alone, so that what it knows is not forgotten; repeatable.",
)
@click.option("--rounding", type=float, help="Steps of int8 of the noise that it is trained under, to be quantised.")
@click.option("--width", type=float, help="MobileNetV2's width (alpha); student.")
@click.option("--unfreeze-from", type=int, help="First block that is trained; student.")
@click.option("--seed", type=int, help="Fixes the split and every draw.")
def train(
    faces: tuple[Path, ...],
    roots: tuple[Path, ...],
    preset: str | None,
    out: Path | None,
    repeat: Path | None,
    source_weights: tuple[str, ...],
    left_out: tuple[str, ...],
    taught: tuple[str, ...],
    codecs: tuple[str, ...],
    **options: int | float | str | None,
) -> None:
    """Train a detector on labelled faces: ours, or one of the source projects' by name.

    The split is the CSV's, or 70/15/15 by group. Everything lands in the --out folder: record, faces found,
    history, curves, checkpoints and, at the end, network.keras with its card.json; several --faces become one in its
    data/, which other commands take too. Stop it whenever you like; the
    same command goes on after the last whole epoch. What is not given is the preset's.

    \b
    unmask train --list
    unmask train --faces my/faces.csv --out runs/mine
    unmask train --faces my/faces.csv --out runs/mine --weight ffpp=3 --epochs 20
    unmask train --faces my/faces.csv --faces more/faces.csv --out runs/both
    unmask train --faces my/faces.csv --preset cnn-128 --limit 500
    unmask train --faces my/faces.csv --repeat runs/cnn-128/record.json --out runs/again
    """
    changes: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if source_weights:
        changes["source_weights"] = _parse_weights(source_weights)
    if left_out:
        changes["left_out"] = left_out
    if taught:
        changes["taught"] = taught
    if codecs:
        changes["codecs"] = codecs
    if repeat and (preset or changes):
        raise click.UsageError("--repeat takes everything from the record; leave out --preset and what changes one.")

    from chalicelib.errors import UnmaskError
    from chalicelib.settings import Settings
    from training.files import WriteFailed
    from training.records import read_record
    from training.trainer import train as run_training

    try:
        data = ""
        if repeat:
            record = read_record(repeat)
            name, recipe, data = record["preset"], Recipe.from_dict(record["config"]), record["data_sha256"]
            changes = record.get("overrides", {})
        else:
            name = preset or "student"
            recipe = override(find(name).recipe, changes)
        run = out or Path("runs") / name
        manifest, root = open_sets(faces, roots, run / "data")
        run_training(
            recipe,
            manifest,
            root,
            run,
            preset=name,
            overrides=changes,
            repeats=data,
            settings=Settings.from_environment(),
            report=click.echo,
        )
    except (ValueError, WriteFailed, UnmaskError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo("Stopped. The same command goes on after the last whole epoch.", err=True)
        sys.exit(130)


def describe(preset: Preset) -> str:
    """Return a preset in a few lines for a person."""
    recipe = preset.recipe
    lines = [
        f"{preset.name}: {preset.title}",
        f"  project    {preset.project}, {PROJECTS[preset.project]}"
        if preset.project in "abcde"
        else f"  project    {PROJECTS[preset.project]}",
        f"  network    {recipe.architecture}, {recipe.side} px, weights {recipe.weights}, {_describe_views(recipe)}",
        *(f"  phase {number}    {_describe_phase(phase)}" for number, phase in enumerate(recipe.phases, start=1)),
        f"  published  {preset.published or 'nothing'}",
        f"  assumed    {', '.join(preset.assumed) or 'nothing'}",
    ]
    return "\n".join(lines)


def _describe_views(recipe: Recipe) -> str:
    if recipe.sampling == "support_vectors":
        return "every picture once"
    if recipe.sampling == "draws":
        names = {"self_blended": "self-blended", "upsampled": "up-sampled"}
        made = [(getattr(recipe, field), names.get(field, field)) for field in FORGERIES]
        share = "of the fakes " + ", ".join(f"{part:.0%} {name}" for part, name in made if part)
        return f"draws of {recipe.batch_size} × {recipe.steps} an epoch, half fake, {share}; augmentation ours"
    return f"passes in batches of {recipe.batch_size}, augmentation {recipe.augmentation}"


def _describe_phase(phase: Phase) -> str:
    trained = {"all": "all layers", "head": "the head alone"}.get(str(phase.train_from), f"from {phase.train_from}")
    if isinstance(phase.train_from, int):
        trained = f"the last {phase.train_from} layers and the head"
    kept = f"keeps the best {phase.monitor}" if phase.monitor else "keeps the last"
    stops = f", stops after {phase.patience} without a better" if phase.patience else ""
    rate = f"{phase.optimizer} {phase.learning_rate:g} {phase.schedule}"
    return f"{trained}, {phase.epochs} epochs, {rate}, {kept}{stops}"


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
