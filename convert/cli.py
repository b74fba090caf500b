"""`unmask convert`: Keras networks become the .tflite files that are served."""

from __future__ import annotations

from pathlib import Path

import click

from chalicelib.errors import UnmaskError
from chalicelib.settings import MODELS, Settings
from training.commands.options import EXISTING_FILE, LEFT_OUT_RUNS, ROOTS, ROWS, SETS, open_sets

MODELS_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group()
def convert() -> None:
    """Turn Keras networks into the .tflite files that are served.

    \b
    unmask convert faces                                   P-Net, R-Net and O-Net of the mtcnn package
    unmask convert detector --network runs/mine/network.keras --faces my/faces.csv
    """


@convert.command()
@click.option("--out", default=MODELS, type=MODELS_FOLDER, help="Models folder. [default: the served one]")
def faces(out: Path) -> None:
    """Rebuild MTCNN's three networks from the weights in the mtcnn package, and verify each against Keras."""
    from convert.mtcnn import convert_mtcnn

    for network, difference in convert_mtcnn(out).items():
        click.echo(f"{network}: max |Δ| against Keras {difference:.1e}")


@convert.command()
@click.option("--network", required=True, type=EXISTING_FILE, help="The .keras file of a training run.")
@SETS
@ROOTS
@click.option("--out", default=MODELS, type=MODELS_FOLDER, help="Models folder. [default: the served one]")
@click.option(
    "--facts",
    default=Path(__file__).parent / "facts.json",
    type=EXISTING_FILE,
    help="JSON with name, uses, covers, limits, terms and retrain for the card. [default: those of the shipped model]",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the run, which fixed its split.")
@click.option(
    "--qat-steps",
    default=0,
    show_default=True,
    type=click.IntRange(min=0),
    help="Steps of quantisation-aware fine-tuning where int8 alone loses more than the gate; 0 for none.",
)
@ROWS
@click.option(
    "--degradations/--no-degradations",
    default=True,
    show_default=True,
    help="Try degraded pictures for the card, too; minutes.",
)
@LEFT_OUT_RUNS
def detector(
    network: Path,
    faces: tuple[Path, ...],
    roots: tuple[Path, ...],
    out: Path,
    facts: Path,
    seed: int,
    qat_steps: int,
    rows: tuple[str, ...],
    degradations: bool,
    left_out_runs: tuple[Path, ...],
) -> None:
    """Quantise a trained network to int8, prove that little was lost, calibrate it and write its card.

    --faces is what it was trained on: the card says of each source where it is from and under which terms, as far as
    the collections.json beside a CSV, or the table of known sources, tells.

    The files in --out change only when everything has succeeded. A network that loses more than the gate
    (AUC .005, TPR at 1 % FPR .02, 99th percentile of |Δp| .05, one step between kernels) is fine-tuned to bear
    rounding where --qat-steps says so; what that does not heal, its first operators in float do, as far as it needs;
    else it is refused.
    """
    from convert.quantisation import GateError
    from convert.release import Facts, release
    from training.contrasts import parse_contrasts
    from training.files import WriteFailed
    from training.left_out_runs import read_left_out_run
    from training.manifest import ManifestError

    try:
        release(
            network,
            *open_sets(faces, roots),
            out,
            Facts.read(facts),
            settings=Settings.from_environment(),
            seed=seed,
            quantise_aware_steps=qat_steps,
            contrasts=parse_contrasts(rows),
            degradations=degradations,
            left_out_runs=[read_left_out_run(path) for path in left_out_runs],
            report=click.echo,
        )
    except (GateError, ManifestError, WriteFailed, UnmaskError, ValueError) as error:
        raise click.ClickException(str(error)) from error
