"""Options that several commands take."""

from __future__ import annotations

from pathlib import Path

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
ROWS = click.option(
    "--row",
    "rows",
    multiple=True,
    metavar="TITLE=FAKES[:REALS]",
    help="A row of the table: fakes of these sources or methods, apart by commas, against the reals of these sources, "
    "or against all. Repeatable; without it, each source against all reals and against its own.",
)
