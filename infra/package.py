"""The zip that goes to Lambda, and the template that says how it is deployed.

Run `make package`, or `python -m infra.package [--stage dev] [--merge-template FILE …] [--out build/package]`. Chalice
packs what `backend/requirements.txt` names, for the Python that runs this, and writes the template; then what is never
used is thrown out. In the folder are then:

    deployment.zip  what Lambda unpacks
    sam.json        a template for `aws cloudformation package` and `deploy`, which names the zip beside it
    record.json     from what this was made, versions and sizes
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from infra.archive import TooHeavy, pack, require_fit, tabulate, weigh
from infra.ballast import drop, strip
from infra.template import finish

ROOT = Path(__file__).resolve().parent.parent
BACKEND = ROOT / "backend"
OUT = ROOT / "build" / "package"
# What Chalice's own template is to be merged with.
TEMPLATES = ROOT / "infra" / "templates"
# Where Lambda unpacks the zip.
TASK_ROOT = "/var/task"


class NotPackaged(Exception):
    """There is no package; the message says why."""


def find_templates() -> list[Path]:
    """Return the templates that are merged where none is named."""
    return sorted(TEMPLATES.glob("*.json"))


def build(stage: str, merge: Sequence[Path], out: Path) -> dict[str, Any]:
    """Make the package.

    Args:
        stage: a stage of `backend/.chalice/config.json`.
        merge: JSON templates, of which no two may say the same thing differently.
        out: the folder for the three files; those of an earlier run are gone even where this one fails.

    Returns:
        The record.

    Raises:
        NotPackaged: Chalice failed, or left a dependency out.
        TooHeavy: a gate was not passed.
    """
    for name in ("deployment.zip", "sam.json", "record.json"):
        (out / name).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        made, tree = Path(folder, "made"), Path(folder, "tree")
        run_chalice(stage, merge, made)
        with ZipFile(made / "deployment.zip") as packed:
            packed.extractall(tree)
        require_complete(tree)
        drop(tree)
        stripped = strip(tree)
        if not stripped:
            sys.stdout.write("There is no `strip` here (Debian: binutils), so libraries keep what no loader reads.\n")
        compile_modules(tree)
        versions = {_canonical(each.metadata["Name"]): each.version for each in distributions(path=[str(tree)])}
        pack(tree, made / "deployment.zip")
        weight = weigh(made / "deployment.zip")
        sys.stdout.write(tabulate(weight) + "\n")
        require_fit(weight)
        out.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(made / "deployment.zip", out / "deployment.zip")
        template = finish(json.loads((made / "sam.json").read_text()))
        (out / "sam.json").write_text(json.dumps(template, indent=2) + "\n")
    record = {
        "stage": stage,
        "python": platform.python_version(),
        "inputs": fingerprint(stage, merge),
        "versions": dict(sorted(versions.items())),
        "stripped": stripped,
        "unzipped": weight.unzipped,
        "zipped": weight.zipped,
        "sha256": hashlib.sha256((out / "deployment.zip").read_bytes()).hexdigest(),
    }
    (out / "record.json").write_text(json.dumps(record, indent=2) + "\n")
    return record


def is_current(out: Path, stage: str, merge: Sequence[Path]) -> bool:
    """Tell whether a package was made from what lies here now.

    Newer releases of the dependencies do not count: `make package` looks for them every time.
    """
    try:
        record = json.loads((out / "record.json").read_text())
        digest = hashlib.sha256((out / "deployment.zip").read_bytes()).hexdigest()
    except OSError:
        return False
    return bool(record["inputs"] == fingerprint(stage, merge) and record["sha256"] == digest)


def fingerprint(stage: str, merge: Sequence[Path]) -> str:
    """Return a digest of all that the package is made from."""
    told = hashlib.sha256(f"{stage} {sys.version} {version('chalice')}".encode())
    programs = sorted(Path(__file__).parent.glob("*.py"))
    for path in (*_sources(), *programs, *merge):
        told.update(f"\n{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}".encode())
    return told.hexdigest()


def run_chalice(stage: str, merge: Sequence[Path], out: Path) -> None:
    """Have Chalice pack the app: `deployment.zip` and `sam.json` in a folder that is not there yet.

    From a copy, for two reasons: Chalice would pack compiled modules that lie about, and it keeps the zip it made and
    takes it again, even one that lacks a dependency.

    Raises:
        NotPackaged: it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder, "project")
        for path in _sources():
            copy = project / path.relative_to(BACKEND)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        command = ["--project-dir", str(project), "package", "--stage", stage, str(out)]
        if merge:
            joined = Path(folder, "merge.json")
            joined.write_text(json.dumps(join([json.loads(path.read_text()) for path in merge])))
            command[-1:-1] = ["--merge-template", str(joined)]
        # What is deployed is set by the stage alone. A region is only asked for the names of AWS's services in it.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("UNMASK_")}
        told = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-c", "import sys; from chalice.cli import main; sys.exit(main())", *command],
            env={"AWS_DEFAULT_REGION": "us-east-1", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    # It goes on without what it finds no wheel of.
    if told.returncode or "Could not install dependencies" in told.stdout:
        # Its traceback tells nothing, the end of it does.
        said = "\n".join(told.stdout.strip().splitlines()[-10:])
        raise NotPackaged(f"Chalice could not package the app:\n{said}")


def join(templates: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return one template that says what all say.

    Raises:
        NotPackaged: two of them say the same thing differently.
    """
    joined: dict[str, Any] = {}
    for template in templates:
        for key, value in template.items():
            known = joined.get(key, value)
            if isinstance(known, dict) and isinstance(value, dict):
                joined[key] = join([known, value]) if key in joined else value
            elif known == value:
                joined[key] = value
            else:
                raise NotPackaged(f"Two templates to merge disagree about {key}.")
    return joined


def require_complete(tree: Path) -> None:
    """Refuse a package without a distribution that `requirements.txt` or another one names.

    Raises:
        NotPackaged: one is missing.
    """
    found = list(distributions(path=[str(tree)]))
    wanted = [line for line in (BACKEND / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    # What depends on a platform or an extra has a semicolon; none of it is ours.
    wanted += [line for each in found for line in each.requires or () if ";" not in line]
    missing = {_canonical(line) for line in wanted} - {_canonical(each.metadata["Name"]) for each in found}
    if missing:
        names = ", ".join(sorted(missing))
        raise NotPackaged(f"Missing in the package: {names}. Is there a wheel for the glibc of Lambda?")


def compile_modules(tree: Path) -> None:
    """Compile all modules below a folder.

    Lambda cannot write where the package lies, so it would compile them anew at each cold start, which takes longer
    than all else. The sources stay, for the lines of a traceback. A compiled module is not compared with its source.
    """
    options = ["-q", "-f", "-s", str(tree), "-p", TASK_ROOT, "--invalidation-mode", "unchecked-hash"]
    subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "compileall", *options, str(tree)],
        # Sets of constants are written in the order of their hashes. A process of its own: what else a process holds
        # shows in what it writes.
        env={"PYTHONHASHSEED": "0"},
        check=True,
    )


def _sources() -> Iterator[Path]:
    yield from (BACKEND / name for name in ("app.py", "requirements.txt", ".chalice/config.json"))
    for path in sorted((BACKEND / "chalicelib").rglob("*")):
        if path.is_file() and path.parent.name != "__pycache__":
            yield path


def _canonical(requirement: str) -> str:
    name = re.match(r"[\w.-]+", requirement)
    return re.sub(r"[-_.]+", "-", name[0]).lower() if name else ""


def main() -> None:
    """Make the package; a sentence and status 1 where that fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    stages = json.loads((BACKEND / ".chalice" / "config.json").read_text())["stages"]
    parser.add_argument("--stage", default="dev", choices=sorted(stages))
    parser.add_argument("--merge-template", type=Path, action="append", metavar="FILE", default=None)
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    merge = given.merge_template if given.merge_template is not None else find_templates()
    try:
        record = build(given.stage, merge, given.out)
    except (NotPackaged, TooHeavy) as error:
        raise SystemExit(str(error)) from error
    sys.stdout.write(f"{given.out}: {given.stage}, Python {record['python']}, {record['zipped'] / 1e6:.1f} MB\n")


if __name__ == "__main__":
    main()
