"""Options that several commands take."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import click

EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
EXISTING_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)

FACES = click.option(
    "--faces",
    required=True,
    type=EXISTING_FILE,
    help="CSV: path, label, and if you can source, method, group.",
)
ROOT = click.option(
    "--root", type=EXISTING_FOLDER, help="Folder that the paths start from. [default: the CSV's folder]"
)
# For commands that take several data sets at once; see `open_sets`.
SETS = click.option(
    "--faces",
    multiple=True,
    type=EXISTING_FILE,
    help="CSV: path, label, and if you can source, method, group. Repeatable: several are taken together.",
)
ROOTS = click.option(
    "--root",
    "roots",
    multiple=True,
    type=EXISTING_FOLDER,
    help="Folder that the paths start from, one for each --faces in their order. [default: each CSV's folder]",
)
ROWS = click.option(
    "--row",
    "rows",
    multiple=True,
    metavar="TITLE=FAKES[:REALS]",
    help="A row of the table: fakes of these sources or methods, apart by commas, against the reals of these sources, "
    "or against all. Repeatable; without it, each source against all reals and against its own.",
)
LEFT_OUT_RUNS = click.option(
    "--left-out-run",
    "left_out_runs",
    multiple=True,
    type=EXISTING_FILE,
    help="Scores of a network trained without some families: what `unmask evaluate --json` wrote, or a CSV; "
    "repeatable. The lower threshold then keeps its promise for these families too.",
)


def open_sets(faces: Sequence[Path], roots: Sequence[Path], folder: Path | None = None) -> tuple[Path, Path]:
    """Return the manifest and the root of what `SETS` and `ROOTS` took, several joined to one.

    Args:
        faces: manifests.
        roots: as many, or none.
        folder: where several are joined; a folder that goes when the command ends, when None.

    Raises:
        UsageError: there is no manifest, or not a root for each.
        ManifestError: a manifest cannot be read.
        WriteFailed: they cannot be joined there.
    """
    from training.sets import FaceSet, join_sets

    if not faces:
        raise click.UsageError("Missing option '--faces'.")
    if roots and len(roots) != len(faces):
        raise click.UsageError(
            f"Give --root once for each --faces, in their order, or not at all. Received: {len(faces)} --faces, "
            f"{len(roots)} --root."
        )
    starts = roots or [path.parent for path in faces]
    sets = [FaceSet(path, root) for path, root in zip(faces, starts, strict=True)]
    if folder is None and len(sets) > 1:
        folder = Path(click.get_current_context().with_resource(TemporaryDirectory()))
    joined = join_sets(sets, folder or Path())
    return joined.manifest, joined.root
