"""A stage is brought to AWS, changed and taken away; against a stand-in for AWS, which knows no SAM."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import boto3
import pytest

from infra import deploy as program
from infra.deploy import NotDeployed, Stack
from tests.backend.conftest import aws
from tests.infra.plain_template import translate

__all__ = ["aws"]
pytestmark = [pytest.mark.timeout(1200), pytest.mark.usefixtures("aws")]


@pytest.fixture(scope="module")
def small(packaged: Path) -> dict[str, Any]:
    """What of the template holds data, with its parameters; the rest is made in test_template."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        plain = translate(json.loads((packaged / "sam.json").read_text()), "dev")
    outputs = {"Table": "Records", "PicturesBucket": "Pictures", "ListsBucket": "Lists"}
    return {
        **plain,
        "Resources": {name: plain["Resources"][name] for name in outputs.values()},
        "Outputs": {name: plain["Outputs"][name] for name in outputs},
    }


@pytest.fixture
def package(small: dict[str, Any], tmp_path: Path) -> Path:
    """A folder as `make package` leaves it."""
    with ZipFile(tmp_path / "deployment.zip", "w") as zipped:
        zipped.writestr("app.py", "")
    (tmp_path / "sam.json").write_text(json.dumps(small))
    (tmp_path / "record.json").write_text(json.dumps({"stage": "dev"}))
    return tmp_path


@pytest.fixture
def stack() -> Stack:
    return Stack("dev", pause=0.01)


def find(name: str) -> str:
    """Return what a resource is called; moto tells no outputs of a stack that a change set made."""
    listed = boto3.client("cloudformation").list_stack_resources(StackName="unmask-dev")["StackResourceSummaries"]
    return next(each["PhysicalResourceId"] for each in listed if each["LogicalResourceId"] == name)


def find_parameters() -> dict[str, str]:
    (found,) = boto3.client("cloudformation").describe_stacks(StackName="unmask-dev")["Stacks"]
    return {each["ParameterKey"]: each["ParameterValue"] for each in found["Parameters"]}


def test_a_stage_is_made_and_changed_and_keeps_what_is_not_named(stack: Stack, package: Path) -> None:
    stack.deploy(package, {"AlarmEmail": "me@example.org", "KeepDays": "7"})
    table = find("Records")
    boto3.client("dynamodb").put_item(TableName=table, Item={"pk": {"S": "flag#1"}})
    stack.deploy(package, {"MonthlyBudget": "20"})
    assert find("Records") == table
    told = find_parameters()
    assert (told["AlarmEmail"], told["KeepDays"], told["MonthlyBudget"]) == ("me@example.org", "7", "20")
    assert boto3.client("dynamodb").scan(TableName=table)["Count"] == 1


def test_the_zip_lies_in_a_private_bucket_under_its_own_hash(stack: Stack, package: Path) -> None:
    stack.deploy(package, {})
    stack.deploy(package, {"KeepDays": "8"})
    files = boto3.client("s3")
    bucket = "unmask-dev-packages-123456789012-eu-central-1"
    names = [each["Key"] for each in files.list_objects_v2(Bucket=bucket)["Contents"]]
    assert sum(name.endswith(".zip") for name in names) == 1, "equal code is one file"
    assert set(files.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values()) == {True}


def test_functions_are_led_to_the_zip(stack: Stack, package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    template = json.loads((package / "sam.json").read_text())
    template["Resources"]["APIHandler"] = {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "./x.zip"}}
    (package / "sam.json").write_text(json.dumps(template))
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr(stack, "_change", lambda url, template, values: seen.append(template))
    monkeypatch.setattr(stack, "outputs", dict)
    stack.deploy(package, {})
    place = seen[0]["Resources"]["APIHandler"]["Properties"]["CodeUri"]
    bucket, name = place.removeprefix("s3://").split("/")
    body = boto3.client("s3").get_object(Bucket=bucket, Key=name)["Body"].read()
    assert body == (package / "deployment.zip").read_bytes()


def test_what_is_destroyed_leaves_its_data_until_they_are_named(stack: Stack, package: Path) -> None:
    stack.deploy(package, {})
    table = find("Records")
    left = stack.destroy()
    assert f"DynamoDB::Table {table}" in left
    assert any(each.startswith("S3::Bucket unmask-dev-lists") for each in left)
    with pytest.raises(NotDeployed, match="There is no stack unmask-dev"):
        stack.outputs()


def test_with_its_data_nothing_is_left(stack: Stack, package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.deploy(package, {})
    kept = {name: find(name) for name in ("Records", "Pictures", "Lists")}
    boto3.client("s3").upload_fileobj(io.BytesIO(b"x"), kept["Lists"], "rescore/a")
    # moto would delete what CloudFormation keeps.
    monkeypatch.setattr(stack._cloud, "delete_stack", lambda **_: None)
    monkeypatch.setattr(stack, "_wait", lambda _: None)
    assert stack.destroy(with_data=True) == []
    assert boto3.client("dynamodb").list_tables()["TableNames"] == []
    names = {each["Name"] for each in boto3.client("s3").list_buckets()["Buckets"]}
    assert names == {"unmask-dev-packages-123456789012-eu-central-1"}


def test_what_is_no_parameter_is_told(stack: Stack, package: Path) -> None:
    with pytest.raises(NotDeployed, match="AlarmMail"):
        stack.deploy(package, {"AlarmMail": "me@example.org"})


def test_a_stage_that_is_not_there_cannot_be_destroyed(stack: Stack) -> None:
    with pytest.raises(NotDeployed, match="There is no stack"):
        stack.destroy()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--stage", "prod"], "of another stage"),
        (["--stage", "dev", "--output", "Table"], "There is no stack"),
        (["--stage", "dev", "--set", "Nonsense=1"], "Nonsense"),
    ],
)
def test_what_cannot_be_is_a_sentence(
    arguments: list[str], words: str, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["deploy", "--package", str(package), *arguments])
    with pytest.raises(SystemExit, match=words):
        program.main()


def test_without_a_package_it_says_how_one_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["deploy", "--package", str(tmp_path)])
    with pytest.raises(SystemExit, match="make package STAGE=dev"):
        program.main()
