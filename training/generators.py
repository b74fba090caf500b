"""How a detector does generator by generator: those that it was trained on, and those that it never saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chalicelib.verdicts import Calibration
from training.left_out_runs import LeftOutRun
from training.metrics import auc

# Fakes of a generator below which a figure says more of chance than of the generator.
LEAST_FAKES = 5


def measure_generators(
    rows: Sequence[Mapping[str, Any]], runs: Sequence[LeftOutRun], calibration: Calibration
) -> list[dict[str, Any]]:
    """Return a row for each generator with at least `LEAST_FAKES` fakes, known ones first, by name.

    What was trained on cannot be tried as never seen. So a row of a generator never seen is of a sister network: the
    same training without that generator, read by the same thresholds.

    Args:
        rows: pictures of the test part, scored by the network that is released, as `training.evaluation.score` does.
        runs: scores of the test part by sister networks, each trained without some families.
        calibration: of pictures, of the network that is released.

    Returns:
        `name`, `seen`, `fakes`, `auc` (against all real pictures), `called_fake` and `no_traces` (shares, 0 to 1).
    """
    scored = [row for row in rows if row["fake_probability"] is not None]
    known = _measure(
        np.array([row["label"] == "fake" for row in scored], int),
        np.array([row["fake_probability"] for row in scored], float),
        [row["method"] or row["source"] for row in scored],
        [row["verdict"] for row in scored],
        seen=True,
    )
    strange = [row for run in runs for row in _measure_unseen(run, calibration)]
    return sorted(known, key=_by_name) + sorted(strange, key=_by_name)


def _by_name(row: Mapping[str, Any]) -> str:
    return str(row["name"]).lower()


def _measure_unseen(run: LeftOutRun, calibration: Calibration) -> list[dict[str, Any]]:
    """Measure a run on the families that it was trained without; its logits are log-odds already."""
    kept = (run.labels == 0) | run.unseen
    odds = 1 / (1 + np.exp(-run.logits[kept]))
    names = [method or source for method, source in zip(run.methods, run.sources, strict=True)]
    verdicts = np.where(
        odds > calibration.fake_above,
        "likely_fake",
        np.where(odds < calibration.no_traces_below, "no_traces", "uncertain"),
    )
    of_kept = [name for name, is_kept in zip(names, kept, strict=True) if is_kept]
    return _measure(run.labels[kept], odds, of_kept, verdicts.tolist(), seen=False)


def _measure(
    labels: np.ndarray, values: np.ndarray, names: Sequence[str], verdicts: Sequence[str], *, seen: bool
) -> list[dict[str, Any]]:
    families, called = np.array(names, dtype=object), np.array(verdicts, dtype=object)
    found = []
    for name in sorted(set(families[labels == 1])):
        own = (labels == 1) & (families == name)
        if own.sum() < LEAST_FAKES:
            continue
        among = own | (labels == 0)
        found.append(
            {
                "name": str(name),
                "seen": seen,
                "fakes": int(own.sum()),
                "auc": auc(labels[among], values[among]),
                "called_fake": float((called[own] == "likely_fake").mean()),
                "no_traces": float((called[own] == "no_traces").mean()),
            }
        )
    return found
