"""Who runs the workers: this process, or Ray on one machine or many; the same pipeline in both."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from training.rescoring.manifests import write_manifest
from training.rescoring.outcomes import Outcome
from training.rescoring.plan import Plan
from training.rescoring.worker import Worker, open_worker

ENGINES = ("inline", "ray")
# Flags that are handed to a worker of Ray at once: enough to have addresses fetched while faces are scored.
SHARE = 256


def run(
    engine: str, plan: Plan, flag_ids: Iterable[str], folder: Path, workers: int = 1, address: str = ""
) -> Iterator[Outcome]:
    """Look at flags by an engine.

    Args:
        engine: one of `ENGINES`.
        plan: of the run.
        flag_ids: what to look at; what is not due any more is passed over.
        folder: for what the engine has to write meanwhile.
        workers: processes of Ray that hold the networks.
        address: of a Ray cluster; begins one here where empty.

    Yields:
        What came of each.

    Raises:
        ValueError: no such engine.
        ModuleNotFoundError: Ray is not installed.
        StoreUnavailable, ModelUnavailable: we failed.
    """
    if engine == "inline":
        return _run_inline(plan, flag_ids)
    if engine == "ray":
        return _run_ray(plan, flag_ids, folder, workers, address)
    raise ValueError(f"There is no engine {engine!r}: take one of {', '.join(ENGINES)}.")


def _run_inline(plan: Plan, flag_ids: Iterable[str]) -> Iterator[Outcome]:
    worker = open_worker(plan)
    try:
        yield from worker.run(worker.find(flag_ids))
    finally:
        worker.close()


class Actor:
    """A worker in a process of Ray's; holds the networks as long as the run lasts."""

    def __init__(self, plan: Plan) -> None:
        self._worker: Worker = open_worker(plan)

    def __call__(self, rows: dict[str, Any]) -> dict[str, list[str]]:
        """Look at the flags of some rows of the manifest."""
        outcomes = self._worker.run(self._worker.find(str(flag_id) for flag_id in rows["id"]))
        return {"outcome": [json.dumps(outcome) for outcome in outcomes]}


def _run_ray(plan: Plan, flag_ids: Iterable[str], folder: Path, workers: int, address: str) -> Iterator[Outcome]:
    import ray

    # A file, so that neither this process nor Ray's store holds all of them.
    manifest = write_manifest(flag_ids, folder / "manifest.jsonl")
    if manifest is None:
        return
    # One processor more than actors: Ray Data hangs where its own tasks have none.
    ray.init(address=address or None, num_cpus=None if address else workers + 1, include_dashboard=False)
    try:
        # Ray Data reads a list in few large blocks and tells what came of one when all of it is done: cut into shares,
        # workers even out, and an interrupted run has told what it has done.
        shares = ray.data.read_json(str(manifest)).repartition(target_num_rows_per_block=SHARE, strict=True)
        outcomes = shares.map_batches(
            Actor,
            fn_constructor_args=(plan,),
            batch_size=SHARE,
            compute=ray.data.ActorPoolStrategy(size=workers),
            num_cpus=1,
        )
        for row in outcomes.iter_rows():
            yield json.loads(row["outcome"])
    finally:
        ray.shutdown()
