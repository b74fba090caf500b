"""`unmask evaluate`."""

from __future__ import annotations

import re
import sys
from functools import partial
from pathlib import Path

import click

from training.commands.options import EXISTING_FOLDER, ROOTS, ROWS, SETS, open_sets

NEW_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@SETS
@click.option(
    "--videos",
    type=EXISTING_FOLDER,
    metavar="DIR",
    help="Clips instead of pictures: DIR/real and DIR/fake, at any depth. With --model and --json only.",
)
@ROOTS
@click.option(
    "--model",
    default="int8",
    show_default=True,
    help="int8, float, ensemble, a run folder, a .keras file, or a models folder.",
)
@click.option(
    "--split",
    type=click.Choice(["all", "train", "validation", "test"]),
    default="all",
    show_default=True,
    help="Only this part of the CSV, as `unmask train` splits it.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of that split.")
@ROWS
@click.option(
    "--left-out",
    multiple=True,
    metavar="FAMILY",
    help="A source or method that was kept out of training; repeatable. What `unmask train --leave-out` kept out is "
    "known, and tried on all of its fakes, whatever the split.",
)
@click.option("--json", "out", type=NEW_FILE, help="Write figures and every score here.")
@click.option("--report", "page", type=NEW_FILE, help="Write figures, plots and probes as one HTML page here.")
@click.option("--degradations", is_flag=True, help="Try degraded pictures too: JPEG, WebP, H.264, smaller.")
@click.option(
    "--sheets",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for a contact sheet of the most confident mistakes.",
)
def evaluate(
    faces: tuple[Path, ...],
    videos: Path | None,
    roots: tuple[Path, ...],
    model: str,
    split: str,
    seed: int,
    rows: tuple[str, ...],
    left_out: tuple[str, ...],
    out: Path | None,
    page: Path | None,
    degradations: bool,
    sheets: Path | None,
) -> None:
    """Score labelled pictures or clips and print how good the scores are.

    Every file goes the whole path of a user's picture or clip: decode, find faces, crop, score, calibrate. What is
    without a face gets no score and is counted as unscored. Where there are clips, the rules that make one score of
    their frames are compared.

    \b
    unmask evaluate --faces my/faces.csv
    unmask evaluate --faces my/faces.csv --split test --model float --json build/float.json
    unmask evaluate --faces my/faces.csv --row "GAN=stylegan_256,stylegan_512" --row "twins=stylegan_ffhq:ffhq"
    unmask evaluate --faces my/faces.csv --model runs/mine --degradations --report build/mine.html
    unmask evaluate --videos my/clips --json build/clips.json
    """
    if bool(faces) == (videos is not None):
        raise click.UsageError("Give either --faces or --videos.")
    if videos is not None:
        _evaluate_videos(videos, model, out)
        return
    from chalicelib.errors import UnmaskError
    from chalicelib.settings import Settings
    from training.bench import Bench, BenchError
    from training.comparison import check_comparable, check_families, examine, time_models
    from training.contrasts import check_contrasts, parse_contrasts
    from training.evaluation import format_rules, write_report
    from training.files import WriteFailed
    from training.manifest import ManifestError
    from training.models import find_model
    from training.reporting.content import assemble
    from training.reporting.pages import write_page
    from training.reporting.sheets import draw_sheets
    from training.reporting.terminal import print_evaluation

    say = partial(click.echo, err=True)
    settings = Settings.from_environment()
    try:
        find_model(model, settings)
        contrasts = parse_contrasts(rows)
        bench = Bench.open(*open_sets(faces, roots), settings, part=split, seed=seed, report=say)
        check_contrasts(contrasts, bench.samples)
        check_families(bench.samples, left_out)
        if page is not None:
            check_comparable(bench)
        missing, harms = bench.find_harms() if degradations else ({}, [])
        entry = examine(
            bench,
            _name(model),
            model,
            harms=harms,
            covered=page is not None,
            left_out=left_out,
            contrasts=contrasts,
            widen=True,
        )
        metrics = {
            **entry["metrics"],
            **{part: entry[part] for part in ("table", "bands", "promise", "left_out")},
            **({"degradations": entry["grid"]} if harms else {}),
        }
        click.echo(print_evaluation(entry))
        if entry["metrics"]["aggregation"]:
            click.echo(f"\n{format_rules(entry['metrics']['aggregation'])}")
        _warn(metrics["overall"], say)
        if out is not None:
            write_report(entry["rows"], metrics, out)
            say(f"wrote {out}")
        for sheet in draw_sheets(bench, [entry], sheets).values() if sheets is not None else ():
            say(f"wrote {sheet}")
        if page is not None:
            time_models(bench, [entry])
            write_page(assemble(bench, [entry], probes=bench.probe(), missing_harms=missing), [entry], page)
            say(f"wrote {page}")
    except (BenchError, ManifestError, WriteFailed, UnmaskError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo("Stopped before the end; nothing more was written.", err=True)
        sys.exit(130)


def _evaluate_videos(folder: Path, model: str, out: Path | None) -> None:
    """Score the clips of a folder, print, write."""
    from chalicelib.errors import UnmaskError
    from chalicelib.faces import FaceFinder
    from chalicelib.settings import Settings
    from training.datasets.clips import DatasetError
    from training.evaluation import format_rules, format_table, write_report
    from training.files import WriteFailed
    from training.models import load_model
    from training.video_evaluation import list_films, score_films, summarise_films

    say = partial(click.echo, err=True)
    settings = Settings.from_environment()
    try:
        films = list_films(folder)
        scores = load_model(model, settings)
        finder = FaceFinder(settings.models, search_side=settings.search_side, threads=settings.threads)
        rows, frames = score_films(
            films, folder, finder, scores, settings, lambda done, total: say(f"{done} of {total} clips")
        )
        metrics = summarise_films(rows, frames)
        click.echo(format_table(metrics))
        if metrics["aggregation"]:
            click.echo(f"\n{format_rules(metrics['aggregation'])}")
        for row in rows:
            if "error" in row:
                say(f"{row['path']}: {row['error']}")
        _warn(metrics["overall"], say)
        if out is not None:
            write_report(rows, metrics, out)
            say(f"wrote {out}")
    except (DatasetError, WriteFailed, UnmaskError) as error:
        raise click.ClickException(str(error)) from error


def _name(model: str) -> str:
    """Return what a model is called in a report: the last part of its path."""
    return re.sub(r"[^\w .+-]", "_", Path(model).resolve().stem)


def _warn(overall: dict[str, float], say: partial[None]) -> None:
    """Say aloud why figures are missing."""
    if "pictures" not in overall:
        say("No face was found in any picture, so there is nothing to measure.")
    elif overall["recall"] != overall["recall"] or overall["specificity"] != overall["specificity"]:
        say("All scored pictures are of one class; figures that compare real with fake are left empty.")
