"""`unmask ensemble`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from training.commands.options import FACES, LEFT_OUT_RUNS, ROOT


@click.command()
@click.option(
    "--member",
    "members",
    multiple=True,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="RUN|KERAS",
    help="A run folder or a .keras file; repeatable, two at least.",
)
@FACES
@ROOT
@click.option("--average", is_flag=True, help="Let all members weigh the same.")
@click.option(
    "--space",
    type=click.Choice(["probability", "logit"]),
    default="probability",
    show_default=True,
    help="Where the weighted mean is taken.",
)
@click.option(
    "--objective",
    type=click.Choice(["auc", "log_loss"]),
    default="auc",
    show_default=True,
    help="What the weights serve.",
)
@LEFT_OUT_RUNS
@click.option("--seed", type=int, help="Seed of the split.  [default: that of the members' records]")
@click.option("--out", default="runs/ensemble", show_default=True, type=click.Path(file_okay=False, path_type=Path))
def ensemble(
    members: tuple[Path, ...],
    faces: Path,
    root: Path | None,
    average: bool,
    space: str,
    objective: str,
    left_out_runs: tuple[Path, ...],
    seed: int | None,
    out: Path,
) -> None:
    """Join trained networks into one, weighed on the validation part.

    The weights are found on pictures that no member was trained on, and never on the test part. A member that gains
    nothing is left out, and said to be. The --out folder is that of any run: network.keras with its card.json.

    \b
    unmask ensemble --member runs/student --member runs/high-pass --faces my/faces.csv --out runs/both
    unmask evaluate --model runs/both --faces my/faces.csv --split test
    """
    from chalicelib.errors import UnmaskError
    from chalicelib.settings import Settings
    from training.ensemble_runs import build_ensemble
    from training.files import WriteFailed
    from training.left_out_runs import read_left_out_run

    try:
        build_ensemble(
            members,
            faces,
            root or faces.parent,
            out,
            average=average,
            space=space,
            objective=objective,
            left_out_runs=[read_left_out_run(path) for path in left_out_runs],
            seed=seed,
            settings=Settings.from_environment(),
            report=click.echo,
        )
    except (ValueError, WriteFailed, UnmaskError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo("Stopped. The same command goes on with the faces that were found.", err=True)
        sys.exit(130)
