"""Jobs of AWS Batch; the only module that knows it."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.errors import StoreUnavailable

# A job on a Spot machine may lose it at any time; what it has not done by then, the next try does.
ATTEMPTS = 5


class BatchJobs:
    """See `planner.Jobs`."""

    def __init__(self, queue: str, definition: str) -> None:
        """Take a queue and a job definition, which are not asked for here.

        Args:
            queue: its name.
            definition: the name of one whose container is that of `infra/batch`.
        """
        self._queue = queue
        self._definition = definition
        self._client = boto3.client("batch", config=Config(retries={"mode": "standard"}))

    def submit(self, name: str, manifest: str, parts: int) -> str:
        """See `planner.Jobs.submit`. A job of one part is a plain one: an array has two children at least.

        After it comes a job that makes one report of all parts and tries; it does not run where a part has failed for
        good, and can be done by hand then.
        """
        folder = manifest.rpartition("/")[0]
        # A report is a file for each part, beside the list.
        out = f"{folder}/report"
        command = ["--manifest", manifest, "--slices", str(parts), "--out", out]
        array: dict[str, Any] = {"arrayProperties": {"size": parts}} if parts > 1 else {}
        job = self._submit(name, command, **array)
        self._submit(f"{name}-report", ["--join", out, "--out", folder], dependsOn=[{"jobId": job}])
        return job

    def _submit(self, name: str, command: list[str], **more: Any) -> str:
        try:
            job = self._client.submit_job(
                jobName=name,
                jobQueue=self._queue,
                jobDefinition=self._definition,
                containerOverrides={"command": command},
                retryStrategy={"attempts": ATTEMPTS},
                **more,
            )
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable("The queue does not take the job.") from error
        return str(job["jobId"])
