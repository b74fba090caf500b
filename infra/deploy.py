"""Brings a package to AWS, and takes it away again.

Run `make package STAGE=dev`, then `make deploy STAGE=dev`, or `python -m infra.deploy --stage dev [--set NAME=VALUE …]`
with the names of `templates/parameters.json`. AWS is spoken to by boto3, so its usual variables and profiles say who
you are and in which region. `make destroy STAGE=dev` takes the stack away; tables, buckets and people of the stage stay
until `--with-data` is said as well.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra.package import OUT

# Between two looks at how far a stack is, s.
PAUSE = 5.0
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
KEPT = ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::Cognito::UserPool")


class NotDeployed(Exception):
    """The stack is not as it was asked for; the message says why."""


class Stack:
    """One stage in one account and region."""

    def __init__(self, stage: str, pause: float = PAUSE) -> None:
        """Take a stage, which need not be there yet."""
        self.stage = stage
        self.name = f"unmask-{stage}"
        self._pause = pause
        self._cloud = boto3.client("cloudformation")
        self._files = boto3.client("s3")

    def deploy(self, package: Path, values: Mapping[str, str]) -> dict[str, str]:
        """Bring a package there, step by step where one is there already.

        Args:
            package: folder of `infra.package`.
            values: of parameters; those that are not named stay as they are, or have their defaults.

        Returns:
            The stack's outputs.

        Raises:
            NotDeployed: AWS refused, or rolled back; everything is as it was before.
        """
        bucket = self._make_bucket()
        zipped = (package / "deployment.zip").read_bytes()
        template = json.loads((package / "sam.json").read_text())
        # Named by what is in it: other code is another file, and equal code is no new version.
        code = self._upload(bucket, zipped, "zip")
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::Serverless::Function":
                resource["Properties"]["CodeUri"] = f"s3://{bucket}/{code}"
        # Too long to be sent along.
        place = self._upload(bucket, json.dumps(template).encode(), "json")
        region = self._files.meta.region_name
        self._change(f"https://{bucket}.s3.{region}.amazonaws.com/{place}", template, {"Stage": self.stage, **values})
        return self.outputs()

    def outputs(self) -> dict[str, str]:
        """Return the stack's outputs; raises `NotDeployed` where there is none."""
        stack = self._describe()
        if stack is None:
            raise NotDeployed(f"There is no stack {self.name} in this account and region.")
        return {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}

    def destroy(self, *, with_data: bool = False) -> list[str]:
        """Take the stack away.

        Args:
            with_data: also the tables, buckets and people that CloudFormation leaves.

        Returns:
            What is left of it, in words.

        Raises:
            NotDeployed: AWS refused.
        """
        uploads = self.outputs().get("UploadsBucket")
        left = [
            (each["ResourceType"], each["PhysicalResourceId"])
            for page in self._cloud.get_paginator("list_stack_resources").paginate(StackName=self.name)
            for each in page["StackResourceSummaries"]
            if each["ResourceType"] in KEPT and each["PhysicalResourceId"] != uploads
        ]
        if uploads is not None:
            # What lies there is gone within a day anyway, and a bucket that is not empty cannot be deleted.
            boto3.resource("s3").Bucket(uploads).objects.all().delete()
        self._cloud.delete_stack(StackName=self.name)
        self._wait("DELETE")
        if with_data:
            for kind, name in left:
                self._erase(kind, name)
            left = []
        return [f"{kind.split('::', 1)[1]} {name}" for kind, name in left]

    def _make_bucket(self) -> str:
        """Return the bucket for packages, which is made where it is missing."""
        account = boto3.client("sts").get_caller_identity()["Account"]
        region = self._files.meta.region_name
        bucket = f"{self.name}-packages-{account}-{region}"
        try:
            self._files.head_bucket(Bucket=bucket)
            return bucket
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
                raise
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        self._files.create_bucket(Bucket=bucket, **place)
        self._files.put_public_access_block(
            Bucket=bucket,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "IgnorePublicAcls": True,
                "BlockPublicPolicy": True,
                "RestrictPublicBuckets": True,
            },
        )
        return bucket

    def _upload(self, bucket: str, data: bytes, suffix: str) -> str:
        name = f"{hashlib.sha256(data).hexdigest()}.{suffix}"
        self._files.put_object(Bucket=bucket, Key=name, Body=data, ServerSideEncryption="AES256")
        return name

    def _change(self, url: str, template: Mapping[str, Any], values: Mapping[str, str]) -> None:
        stack = self._describe()
        known = {each["ParameterKey"] for each in (stack or {}).get("Parameters", [])}
        unknown = values.keys() - template["Parameters"].keys()
        if unknown:
            raise NotDeployed(
                f"There is no parameter {', '.join(sorted(unknown))}: see infra/templates/parameters.json."
            )
        # One that was never made whole cannot be changed: CloudFormation wants it gone first.
        if stack is not None and stack["StackStatus"] in ("ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"):
            self._cloud.delete_stack(StackName=self.name)
            self._wait("DELETE")
            stack, known = None, set()
        told: list[dict[str, Any]] = [{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()]
        told += [{"ParameterKey": name, "UsePreviousValue": True} for name in sorted(known - values.keys())]
        kind = "CREATE" if stack is None else "UPDATE"
        change = self._cloud.create_change_set(
            StackName=self.name,
            ChangeSetName=f"{self.name}-{int(time.time())}",
            ChangeSetType=kind,
            TemplateURL=url,
            Parameters=[each for each in told if each["ParameterKey"] in template["Parameters"]],
            Capabilities=CAPABILITIES,
        )["Id"]
        while (state := self._cloud.describe_change_set(ChangeSetName=change, StackName=self.name))["Status"] in (
            "CREATE_PENDING",
            "CREATE_IN_PROGRESS",
        ):
            time.sleep(self._pause)
        if state["Status"] == "FAILED":
            self._cloud.delete_change_set(ChangeSetName=change, StackName=self.name)
            reason = state.get("StatusReason", "")
            if "didn't contain changes" in reason or "No updates are to be performed" in reason:
                return
            raise NotDeployed(f"CloudFormation refuses the change: {reason}")
        self._cloud.execute_change_set(ChangeSetName=change, StackName=self.name)
        self._wait(kind)

    def _wait(self, kind: str) -> None:
        """Wait until the stack is through.

        Raises:
            NotDeployed: it is not as it was asked for; with the first thing that failed.
        """
        while True:
            stack = self._describe()
            state = "DELETE_COMPLETE" if stack is None else stack["StackStatus"]
            if not state.endswith("IN_PROGRESS"):
                break
            sys.stderr.write(f"{state}\n")
            time.sleep(self._pause)
        if state != f"{kind}_COMPLETE":
            raise NotDeployed(f"{self.name} is {state}. {self._find_failure()}")

    def _find_failure(self) -> str:
        for each in reversed(self._cloud.describe_stack_events(StackName=self.name)["StackEvents"]):
            if each["ResourceStatus"].endswith("FAILED"):
                return f"{each['LogicalResourceId']}: {each.get('ResourceStatusReason', 'no reason is given')}"
        return ""

    def _describe(self) -> dict[str, Any] | None:
        try:
            found: list[dict[str, Any]] = self._cloud.describe_stacks(StackName=self.name)["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return found[0] if found and found[0]["StackStatus"] != "DELETE_COMPLETE" else None

    def _erase(self, kind: str, name: str) -> None:
        if kind == "AWS::S3::Bucket":
            boto3.resource("s3").Bucket(name).objects.all().delete()
            self._files.delete_bucket(Bucket=name)
        elif kind == "AWS::DynamoDB::Table":
            boto3.client("dynamodb").delete_table(TableName=name)
        else:
            boto3.client("cognito-idp").delete_user_pool(UserPoolId=name)


def main() -> None:
    """Deploy or destroy; a sentence and status 1 where that fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", default="dev")
    parser.add_argument("--package", type=Path, default=OUT, help="folder of `make package`")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the stack")
    parser.add_argument("--output", metavar="NAME", help="print one output of the stack, and change nothing")
    parser.add_argument("--destroy", action="store_true", help="take the stack away instead")
    parser.add_argument("--with-data", action="store_true", help="with all that it remembers, and who signed up")
    given = parser.parse_args()
    values = dict(each.partition("=")[::2] for each in given.set)
    try:
        stack = Stack(given.stage)
        if given.output:
            sys.stdout.write(f"{stack.outputs()[given.output]}\n")
            return
        if given.destroy:
            left = stack.destroy(with_data=given.with_data)
            sys.stdout.write("".join(f"Left: {each}\n" for each in left) + f"{stack.name} is gone.\n")
            return
        if json.loads((given.package / "record.json").read_text())["stage"] != given.stage:
            raise NotDeployed(f"What lies in {given.package} is of another stage: make package STAGE={given.stage}")
        outputs = stack.deploy(given.package, values)
    except KeyError as error:
        raise SystemExit(f"The stack has no output {error}.") from error
    except FileNotFoundError as error:
        raise SystemExit(f"There is no package: make package STAGE={given.stage}") from error
    except (NotDeployed, ClientError, BotoCoreError) as error:
        raise SystemExit(str(error)) from error
    sys.stdout.write("".join(f"{name}: {value}\n" for name, value in sorted(outputs.items())))


if __name__ == "__main__":
    main()
