"""`unmask compare`."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import click

from training.commands.options import ROOTS, ROWS, SETS, open_sets


@click.command()
@SETS
@ROOTS
@click.option(
    "--model",
    "models",
    multiple=True,
    required=True,
    metavar="NAME=PATH",
    help="int8, float, ensemble, a run folder, a .keras file or a models folder; NAME#SEED=PATH for one of several "
    "seeds. Repeatable.",
)
@click.option(
    "--split",
    type=click.Choice(["all", "train", "validation", "test"]),
    default="test",
    show_default=True,
    help="Only this part of the CSV, as `unmask train` splits it.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of that split.")
@click.option("--limit", type=click.IntRange(min=2), help="At most so many pictures, evenly from every source.")
@ROWS
@click.option(
    "--left-out", multiple=True, metavar="FAMILY", help="A source or method kept out of training. Repeatable."
)
@click.option(
    "--ablation",
    metavar="NAME,NAME…",
    help="Tell what each of these models gained over the first, seeds averaged; NAME stands for all its NAME#SEED.",
)
@click.option("--degradations", is_flag=True, help="Try every model on degraded pictures too.")
@click.option("--probes/--no-probes", default=True, show_default=True, help="Try what can be told without a face.")
@click.option(
    "--sheets",
    type=click.Choice(["none", "files", "embed"]),
    default="none",
    show_default=True,
    help="Contact sheets of the most confident mistakes: in OUT/sheets, or in the page too, which then shows faces.",
)
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder for the report.")
def compare(
    faces: tuple[Path, ...],
    roots: tuple[Path, ...],
    models: tuple[str, ...],
    split: str,
    seed: int,
    limit: int | None,
    rows: tuple[str, ...],
    left_out: tuple[str, ...],
    ablation: str | None,
    degradations: bool,
    probes: bool,
    sheets: str,
    out: Path,
) -> None:
    """Set several models side by side on the same pictures.

    OUT/report.html says it to a person, OUT/report.json to a program, OUT/images.csv picture by picture. Faces are
    found once; what each model said is kept in OUT/cache, so the same command goes on where it was stopped, and
    another model costs no more than itself.

    \b
    unmask compare --faces my/faces.csv --model int8 --model mine=runs/mine --out build/report
    unmask compare --faces my/faces.csv --model a#1=runs/a1 --model a#2=runs/a2 --degradations --out build/report
    unmask compare --faces my/faces.csv --model a=runs/a --model b=runs/b --ablation a,b --out build/report
    """
    from chalicelib.errors import UnmaskError
    from chalicelib.settings import Settings
    from training.ablation import ablate, parse_ablation
    from training.bench import Bench, BenchError, write_csv
    from training.comparison import check_comparable, check_families, examine, parse_models, time_models
    from training.contrasts import check_contrasts, parse_contrasts
    from training.files import WriteFailed, replacing
    from training.manifest import ManifestError
    from training.models import find_model
    from training.reporting.content import assemble, list_pictures, to_text
    from training.reporting.pages import write_page
    from training.reporting.sheets import draw_sheets

    say = partial(click.echo, err=True)
    settings = Settings.from_environment()
    try:
        named = parse_models(models)
        for spec in named.values():
            find_model(spec, settings)
        steps, contrasts = parse_ablation(ablation, list(named)), parse_contrasts(rows)
        bench = Bench.open(
            *open_sets(faces, roots),
            settings,
            part=split,
            seed=seed,
            limit=limit,
            cache=out / "cache",
            report=say,
        )
        check_contrasts(contrasts, bench.samples)
        check_families(bench.samples, left_out)
        check_comparable(bench)
        missing, harms = bench.find_harms() if degradations else ({}, [])
        entries = [
            examine(bench, name, spec, harms=harms, covered=probes, left_out=left_out, contrasts=contrasts)
            for name, spec in named.items()
        ]
        time_models(bench, entries)
        content = assemble(
            bench,
            entries,
            probes=bench.probe() if probes else None,
            missing_harms=missing,
            ablation=ablate(entries, steps),
        )
        drawn = draw_sheets(bench, entries, out / "sheets") if sheets != "none" else {}
        write_csv(out / "images.csv", list_pictures(content))
        with replacing(out / "report.json") as unfinished:
            unfinished.write_text(to_text(content), encoding="utf-8")
        write_page(content, entries, out / "report.html", drawn if sheets == "embed" else None)
    except (BenchError, ManifestError, WriteFailed, UnmaskError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo("Stopped. The same command goes on where it was.", err=True)
        sys.exit(130)
    click.echo(f"wrote {out / 'report.html'}, report.json and images.csv")
