"""A night in AWS as far as it can be had in this process: plan, list, job, write-back."""

from __future__ import annotations

import json
import logging
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.stub import Stubber
from chalice.test import Client

from backend import app as web
from chalicelib.batch_jobs import ATTEMPTS, BatchJobs
from chalicelib.buckets import BucketShelf, read_lines
from chalicelib.dynamo_flags import DynamoFlags
from chalicelib.dynamo_store import DynamoStore
from chalicelib.errors import NotFound, StoreUnavailable
from chalicelib.flags import make_flag
from chalicelib.planner import MOST_PARTS, count_parts, plan
from chalicelib.schema import Flag
from chalicelib.settings import Settings
from chalicelib.sqlite_flags import SqliteFlags
from chalicelib.times import spell_time
from tests.backend.conftest import FakeDetector, FakeFinder, aws, bucket, table
from tests.training.rescoring.test_worker import draw

NOW = datetime.now(UTC)
__all__ = ["aws", "bucket", "table"]
# What EventBridge sends when it is time.
EVENT: Any = ("aws.events", "Scheduled Event", {}, [])
ROLE = {"Version": "2012-10-17", "Statement": []}


@pytest.fixture
def queue(aws: list[str]) -> str:
    """A queue of AWS Batch, and a job definition, `unmask-rescore`."""
    import boto3

    role = boto3.client("iam").create_role(RoleName="batch", AssumeRolePolicyDocument=json.dumps(ROLE))["Role"]["Arn"]
    batch = boto3.client("batch")
    place = batch.create_compute_environment(
        computeEnvironmentName="spot", type="UNMANAGED", state="ENABLED", serviceRole=role
    )["computeEnvironmentArn"]
    batch.create_job_queue(
        jobQueueName="nights",
        state="ENABLED",
        priority=1,
        computeEnvironmentOrder=[{"order": 1, "computeEnvironment": place}],
    )
    batch.register_job_definition(
        jobDefinitionName="unmask-rescore",
        type="container",
        containerProperties={
            "image": "unmask-rescore",
            "command": [],
            "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "2048"}],
        },
    )
    return "nights"


def flag_pictures(store: DynamoFlags, count: int) -> list[Flag]:
    flags = [make_flag(NOW - timedelta(minutes=1), url=f"https://photos.example/{n}.png") for n in range(count)]
    for flag in flags:
        store.add(flag)
    return flags


def find_jobs() -> list[dict[str, Any]]:
    import boto3

    batch = boto3.client("batch")
    listed = batch.list_jobs(jobQueue="nights", jobStatus="SUCCEEDED")["jobSummaryList"]
    for state in ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING"):
        listed += batch.list_jobs(jobQueue="nights", jobStatus=state)["jobSummaryList"]
    return batch.describe_jobs(jobs=[job["jobId"] for job in listed])["jobs"] if listed else []


@pytest.mark.parametrize(("count", "parts"), [(4, 1), (25, 3)])
def test_what_is_due_is_listed_and_one_job_submitted(
    table: str, bucket: str, queue: str, count: int, parts: int
) -> None:
    with closing(DynamoFlags(table)) as store:
        flags = flag_pictures(store, count)
        store.add(make_flag(NOW + timedelta(days=1), url="https://photos.example/later.png"))
        planned = plan(store, spell_time(NOW), BucketShelf(bucket), BatchJobs(queue, "unmask-rescore"), per_part=10)
    assert (planned.due, planned.parts, planned.waited) == (count, parts, 60.0)
    assert planned.manifest is not None
    listed = [json.loads(line)["id"] for line in read_lines(planned.manifest)]
    assert sorted(listed) == sorted(flag["id"] for flag in flags)
    (job,) = [job for job in find_jobs() if job["jobId"] == planned.job]
    command = job["container"]["command"]
    assert command == [
        *("--manifest", planned.manifest, "--slices", str(parts)),
        *("--out", planned.manifest.replace("manifest.jsonl", "report")),
    ]
    assert job.get("arrayProperties", {}).get("size", 1) == parts


@pytest.mark.parametrize(("parts", "array"), [(1, {}), (2, {"arrayProperties": {"size": 2}})])
@pytest.mark.usefixtures("aws")
def test_a_job_is_tried_again_is_an_array_where_it_has_parts_and_has_one_report(
    parts: int, array: dict[str, Any]
) -> None:
    jobs = BatchJobs("nights", "unmask-rescore")
    command = ["--manifest", "s3://lists/a/manifest.jsonl", "--slices", str(parts), "--out", "s3://lists/a/report"]
    expected = {
        "jobName": "night",
        "jobQueue": "nights",
        "jobDefinition": "unmask-rescore",
        "containerOverrides": {"command": command},
        "retryStrategy": {"attempts": ATTEMPTS},
        **array,
    }
    with Stubber(jobs._client) as stub:
        stub.add_response("submit_job", {"jobName": "night", "jobId": "7"}, expected)
        join = ["--join", "s3://lists/a/report", "--out", "s3://lists/a"]
        after = expected | {"jobName": "night-report", "containerOverrides": {"command": join}}
        after = {**after, "dependsOn": [{"jobId": "7"}]}
        after.pop("arrayProperties", None)
        stub.add_response("submit_job", {"jobName": "night-report", "jobId": "8"}, after)
        assert jobs.submit("night", "s3://lists/a/manifest.jsonl", parts) == "7"


def test_a_night_without_flags_makes_neither_list_nor_job(table: str, bucket: str, queue: str) -> None:
    import boto3

    with closing(DynamoFlags(table)) as store:
        planned = plan(store, spell_time(NOW), BucketShelf(bucket), BatchJobs(queue, "unmask-rescore"), per_part=10)
    assert (planned.due, planned.manifest, planned.job) == (0, None, None)
    assert boto3.client("s3").list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert find_jobs() == []


def test_the_parts_of_a_job_do_every_flag_once_and_write_back(
    table: str, bucket: str, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorflow")
    from chalicelib.buckets import BucketPictures
    from training.rescoring.manifests import read_manifest
    from training.rescoring.plan import Plan
    from training.rescoring.worker import Worker

    flags = DynamoFlags(table)
    flagged = flag_pictures(flags, 25)
    at = spell_time(NOW)
    planned = plan(flags, at, BucketShelf(bucket), BatchJobs(queue, "unmask-rescore"), per_part=10)
    assert planned.manifest is not None

    def fetch(url: str, settings: Settings) -> bytes:
        return draw(int(url.rpartition("/")[2].partition(".")[0]))

    model = FakeDetector(3.0)
    worker = Worker(
        # The stand-in for DynamoDB is not safe among threads.
        Plan(Settings(), "none", at, fetchers=1),
        FakeFinder((10.0, 10.0, 55.0, 60.0)),
        model,
        DynamoStore(table),
        flags,
        BucketPictures(bucket, 30),
        fetch,
    )
    done = []
    # The second part is tried twice, as a part on a Spot machine may be.
    for part in (0, 1, 1, 2):
        done += [outcome["id"] for outcome in worker.run(worker.find(read_manifest(planned.manifest, part, 3)))]
    assert sorted(done) == sorted(flag["id"] for flag in flagged)
    after = [flags.get(flag["id"]) for flag in flagged]
    assert {(flag["state"], flag["revision"]) for flag in after} == {("scored", 2)}
    assert list(flags.list_due(at)) == []
    again = plan(flags, at, BucketShelf(bucket), BatchJobs(queue, "unmask-rescore"), per_part=10)
    assert again.due == 0


def test_the_schedule_plans_with_what_the_stage_sets(
    table: str, bucket: str, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("TABLE", table), ("RESCORE_BUCKET", bucket), ("RESCORE_QUEUE", queue)):
        monkeypatch.setenv(f"UNMASK_{name}", value)
    with closing(DynamoFlags(table)) as store:
        flag_pictures(store, 3)
    with Client(web.app) as client:
        client.lambda_.invoke("plan_rescoring", client.events.generate_cw_event(*EVENT))
    names = sorted(job["jobName"] for job in find_jobs())
    assert len(names) == 2
    assert names[0].startswith("unmask-rescore-")
    assert names[1] == f"{names[0]}-report"


def test_a_schedule_without_queue_or_table_says_so_and_does_nothing() -> None:
    told: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())  # type: ignore[method-assign]
    web.app.log.addHandler(handler)
    try:
        with Client(web.app) as client:
            client.lambda_.invoke("plan_rescoring", client.events.generate_cw_event(*EVENT))
    finally:
        web.app.log.removeHandler(handler)
    assert "nothing is planned" in told[-1]


def test_a_queue_that_takes_no_job_is_told(table: str, bucket: str) -> None:
    with closing(DynamoFlags(table)) as store:
        flag_pictures(store, 1)
        with pytest.raises(StoreUnavailable, match="queue"):
            plan(store, spell_time(NOW), BucketShelf(bucket), BatchJobs("nowhere", "unmask-rescore"), per_part=10)


@pytest.mark.usefixtures("aws")
def test_a_list_that_is_not_there_is_told(bucket: str) -> None:
    with pytest.raises(NotFound, match="list"):
        list(read_lines(f"s3://{bucket}/rescore/none"))


@pytest.mark.parametrize(
    ("due", "parts"), [(1, 1), (2000, 1), (2001, 2), (20_000_000, 10_000), (2_000_000_000, MOST_PARTS)]
)
def test_a_job_has_as_many_parts_as_there_is_work_and_no_more_than_batch_takes(due: int, parts: int) -> None:
    assert count_parts(due, 2000) == parts


def test_a_list_goes_to_the_disk_and_its_reader_takes_a_line_at_a_time(tmp_path: Any) -> None:
    kept: list[bytes] = []

    class Shelf:
        def put(self, name: str, file: Any) -> str:
            kept.extend(file)
            return f"s3://lists/{name}"

    class Jobs:
        def submit(self, name: str, manifest: str, parts: int) -> str:
            return "job"

    with closing(SqliteFlags(tmp_path / "checks.sqlite3")) as store:
        for n in range(250):
            store.add(make_flag(NOW - timedelta(minutes=n), url="https://photos.example/1.png"))
        planned = plan(store, spell_time(NOW), Shelf(), Jobs(), 100)
    assert (planned.due, planned.parts, len(kept)) == (250, 3, 250)
