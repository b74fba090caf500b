"""`unmask rescore`."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path

import click

# Where AWS Batch tells a job of an array which part is its own.
ARRAY_INDEX = "AWS_BATCH_JOB_ARRAY_INDEX"
INTERRUPTED = 130


@click.command()
@click.option("--model", default="ensemble", show_default=True, help="What scores; as `unmask evaluate --model`.")
@click.option(
    "--engine",
    type=click.Choice(["inline", "ray"]),
    default="inline",
    show_default=True,
    help="This process, or Ray, which pays from some 10,000 faces on.",
)
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes of Ray.")
@click.option("--address", default="", help="A Ray cluster to join, such as auto. [default: begins one here]")
@click.option("--batch-size", type=click.IntRange(1), default=16, show_default=True, help="Faces scored at once.")
@click.option("--limit", type=click.IntRange(1), help="At most so many flags.")
@click.option(
    "--manifest",
    metavar="FILE|s3://…",
    help="JSON lines with the ids of flags, instead of all that is due; of those, what is still due.",
)
@click.option(
    "--slices",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help=f"Parts of the manifest; which is this one's, {ARRAY_INDEX} tells.",
)
@click.option("--out", metavar="FOLDER|s3://…", help="For the report. [default: runs/rescore/TIME]")
@click.option(
    "--join",
    metavar="FOLDER|s3://…",
    help="Look at nothing: make one report, in --out, of all that lie below a place.",
)
def rescore(
    model: str,
    engine: str,
    workers: int,
    address: str,
    batch_size: int,
    limit: int | None,
    manifest: str | None,
    slices: int,
    out: str | None,
    join: str | None,
) -> None:
    """Look again at flagged pictures, with the heavy networks.

    Takes what is due, fetches it or takes the picture that was kept, scores it, and writes what came of it into the
    flag: the new verdict beside the old one, what lies at the address now, when the next look is due. What fails is
    tried again later, and left to a person after three times. Stop it whenever you like; the same command goes on.

    \b
    unmask rescore
    unmask rescore --engine ray --workers 4
    unmask rescore --join runs/rescore --out all
    unmask flags --state needs_review

    The report is report.html and report.json in the --out folder; outcomes.jsonl has a line a look.
    """
    from chalicelib.errors import UnmaskError
    from chalicelib.settings import Settings
    from chalicelib.stores import open_flags
    from chalicelib.times import now, spell_time
    from training.files import WriteFailed
    from training.models import find_model
    from training.progress import every
    from training.rescoring import engines
    from training.rescoring.manifests import read_manifest
    from training.rescoring.outcomes import Tally
    from training.rescoring.plan import Plan
    from training.rescoring.pulse import Pulse
    from training.rescoring.report import write_report

    if join is not None:
        join_reports(join, out)
        return
    settings = Settings.from_environment()
    card = json.loads(find_model(model, settings).card.read_text(encoding="utf-8"))
    started = now()
    plan = Plan(settings, model, spell_time(started), batch_size, threads=1 if engine == "ray" else 0)
    part = int(os.environ.get(ARRAY_INDEX, 0))
    # Spot machines are asked to end before they are taken away; so is a service that is stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    tally, pulse, interrupted = Tally(), Pulse(), False
    failure: UnmaskError | None = None
    tell = every(5, "flags looked at:", lambda line: click.echo(line, err=True))
    try:
        with reporting(out, plan.at, part) as folder:
            with (
                closing(open_flags(settings)) as flags,
                (folder / "outcomes.jsonl").open("a", encoding="utf-8") as file,
            ):
                due = islice(flags.list_due(plan.at), limit)
                ids = due if manifest is None else read_manifest(manifest, part, slices)
                try:
                    for outcome in engines.run(engine, plan, ids, folder, workers, address):
                        tally.add(outcome)
                        pulse.add(outcome)
                        file.write(json.dumps(outcome) + "\n")
                        tell(tally.looks, None)
                except KeyboardInterrupt:
                    interrupted = True
                except UnmaskError as error:
                    # What was done by then is done, and has to be told.
                    failure = error
            tally.close()
            pulse.beat()
            content = {
                "started": plan.at,
                "finished": spell_time(now()),
                "interrupted": interrupted or failure is not None,
                "model": f"{card['name']} {card['version']}",
                "engine": engine,
                "workers": workers,
                **tally.to_dict(),
            }
            write_report(content, folder)
    except (UnmaskError, WriteFailed, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(
        f"{tally.looks} looked at: {content['scored']} scored, {content['gone']} gone, {content['failed']} failed; "
        f"{tally.agreements} verdicts stayed, {tally.flips} turned, {tally.needs_review} need a person.\n"
        f"{out or folder}/report.html"
    )
    if failure is not None:
        raise click.ClickException(f"{failure} The same command goes on.")
    if interrupted:
        click.echo("Interrupted; the same command goes on.", err=True)
        sys.exit(INTERRUPTED)


def join_reports(place: str, out: str | None) -> None:
    """Make one report of many.

    Raises:
        click.ClickException: there is none, it cannot be read, or --out is not said.
    """
    from chalicelib.errors import UnmaskError
    from chalicelib.times import now, spell_time
    from training.files import WriteFailed
    from training.rescoring.joining import join
    from training.rescoring.report import write_report

    if out is None:
        raise click.UsageError("--join wants --out, where the report goes.")
    try:
        content = join(place)
        with reporting(out, spell_time(now()), None) as folder:
            write_report(content, folder)
    except (UnmaskError, WriteFailed, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{content['looks']} looks.\n{out}/report.html")


@contextmanager
def reporting(out: str | None, at: str, part: int | None) -> Iterator[Path]:
    """Lend the folder that a report is written into; what is meant for S3 goes there at the end.

    Args:
        out: a folder, or s3://BUCKET/PREFIX, below which each part has a folder of its own.
        at: when the run began.
        part: of the list; None of what is whole.

    Raises:
        StoreUnavailable: S3 does not answer.
        OSError: the folder cannot be made.
    """
    from training.rescoring.manifests import S3

    if out is None or not out.startswith(S3):
        folder = Path(out) if out is not None else Path("runs/rescore") / at.replace(":", "")
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    from chalicelib.buckets import BucketShelf, split_address

    bucket, prefix = split_address(out)
    if part is not None:
        # A second try is another report: what the first one has done is told there.
        prefix = f"{prefix}/{part:05d}/{at.replace(':', '')}"
    with tempfile.TemporaryDirectory(prefix="unmask-") as name:
        yield Path(name)
        for path in sorted(Path(name).iterdir()):
            with path.open("rb") as file:
                BucketShelf(bucket).put(f"{prefix}/{path.name}", file)
