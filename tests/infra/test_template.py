"""What is deployed: clean by AWS's schemas and a security linter, made for real where a stand-in for AWS makes it."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import boto3
import pytest

from chalicelib.allowance import Allowance
from chalicelib.buckets import BucketPictures, BucketShelf
from chalicelib.dynamo import describe_table
from chalicelib.dynamo_flags import DynamoFlags
from chalicelib.flags import make_flag
from chalicelib.settings import Settings
from chalicelib.sight import NAMESPACE
from infra.template import finish
from tests.backend.conftest import aws
from tests.infra.plain_template import keep_what_moto_makes, translate

__all__ = ["aws"]
ROOT = Path(__file__).parents[2]
CHECKOV = ROOT / "build" / "checkov" / "bin" / "checkov"
DOCKERFILE = ROOT / "infra" / "batch" / "Dockerfile"
EXCEPTIONS = ROOT / "infra" / "checkov.yaml"
pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def template(packaged: Path) -> dict[str, Any]:
    """What `make package` writes."""
    return dict(json.loads((packaged / "sam.json").read_text()))


@pytest.fixture(scope="module")
def plain(template: dict[str, Any]) -> dict[str, Any]:
    """The same, without SAM's short forms."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        return translate(template, "dev")


@pytest.fixture
def stack(plain: dict[str, Any], aws: list[str]) -> dict[str, Any]:
    """The stack as far as moto makes it; its outputs, and names by logical id."""
    small, _ = keep_what_moto_makes(plain)
    upload(boto3.client("s3"), "build", "deployment.zip")
    cloud = boto3.client("cloudformation")
    parameters = {"Stage": "dev", "AlarmEmail": "me@example.org"}
    cloud.create_stack(
        StackName="unmask-dev",
        TemplateBody=json.dumps(small),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    (made,) = cloud.describe_stacks(StackName="unmask-dev")["Stacks"]
    assert made["StackStatus"] == "CREATE_COMPLETE"
    summaries = cloud.list_stack_resources(StackName="unmask-dev")["StackResourceSummaries"]
    names = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in summaries}
    assert names.keys() == small["Resources"].keys()
    return {
        "outputs": {each["OutputKey"]: each["OutputValue"] for each in made["Outputs"]},
        "names": names,
    }


def upload(files: Any, bucket: str, name: str) -> None:
    zipped = io.BytesIO()
    with ZipFile(zipped, "w") as archive:
        archive.writestr("app.py", "")
    files.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    files.put_object(Bucket=bucket, Key=name, Body=zipped.getvalue())


def of_type(template: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {name: each for name, each in template["Resources"].items() if each["Type"] == kind}


def test_aws_s_own_schemas_find_nothing(packaged: Path) -> None:
    told = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), "--format", "parseable", packaged / "sam.json"],
        capture_output=True,
        text=True,
    )
    assert (told.returncode, told.stdout) == (0, ""), told.stdout + told.stderr


@pytest.mark.skipif(not CHECKOV.exists(), reason="the security linter is not installed: make cloud")
def test_a_security_linter_finds_nothing_that_is_not_argued(plain: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "plain.json").write_text(json.dumps(plain))
    told = subprocess.run(
        [
            CHECKOV,
            "--config-file",
            EXCEPTIONS,
            "--file",
            tmp_path / "plain.json",
            DOCKERFILE,
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    found = json.loads(told.stdout)
    failed = [
        f"{each['check_id']} {each['resource']}: {each['check_name']}"
        for part in found
        for each in part["results"]["failed_checks"]
    ]
    assert failed == []
    assert {part["check_type"] for part in found} == {"cloudformation", "dockerfile"}
    assert sum(part["summary"]["passed"] for part in found) > 100
    assert told.returncode == 0


def test_every_exception_is_argued() -> None:
    lines = EXCEPTIONS.read_text().splitlines()
    skipped = [line for line in lines if re.match(r" *- CKV", line)]
    assert skipped
    for line in skipped:
        assert re.fullmatch(r" *- CKV2?_[A-Z]+_\d+ +# .{20,}", line), line


def test_no_function_may_do_more_than_it_does(plain: dict[str, Any]) -> None:
    allowed = {}
    for name, role in of_type(plain, "AWS::IAM::Role").items():
        for policy in role["Properties"].get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
                assert statement["Effect"] == "Allow"
                assert not any("*" in action for action in actions), name
                # Traces lie nowhere in particular.
                assert statement["Resource"] != "*" or statement["Sid"] == "Traces", name
                allowed.setdefault(name, set()).update(actions)
    assert "DefaultRole" not in plain["Resources"], "nobody has it"
    assert allowed["PlannerRole"].isdisjoint({"dynamodb:PutItem", "s3:GetObject", "dynamodb:Scan"})
    assert "s3:GetObject" in allowed["NightRole"]
    # Without it S3 says of an object that is not there that it may not be read, and 404 becomes 503.
    for name in ("ApiRole", "UploadRole", "NightRole"):
        assert "s3:ListBucket" in allowed[name], name
    assert not {action for actions in allowed.values() for action in actions} & {"dynamodb:Scan", "iam:PassRole"}


def test_the_table_is_what_the_code_expects(plain: dict[str, Any], stack: dict[str, Any], aws: list[str]) -> None:
    (table,) = of_type(plain, "AWS::DynamoDB::Table").values()
    wanted = describe_table()
    assert {key: table["Properties"][key] for key in wanted} == wanted
    name = stack["outputs"]["Table"]
    now = datetime.now(UTC)
    with closing(DynamoFlags(name)) as flags:
        flag = make_flag(now - timedelta(minutes=1), url="https://photos.example/1.jpg", owner="anna")
        flags.add(flag)
        assert list(flags.list_due("2100-01-01T00:00:00Z")) == [flag["id"]]
        assert flags.browse(owner="anna")["flags"] == [flag]
    Allowance(name, 1).spend("192.0.2.1")


def test_buckets_are_private_encrypted_and_forget(plain: dict[str, Any], stack: dict[str, Any], aws: list[str]) -> None:
    days = {}
    for name, bucket in of_type(plain, "AWS::S3::Bucket").items():
        told = bucket["Properties"]
        assert set(told["PublicAccessBlockConfiguration"].values()) == {True}
        (rule,) = told["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
        (rule,) = told["LifecycleConfiguration"]["Rules"]
        days[rule["Prefix"]] = rule["ExpirationInDays"]
        (policy,) = (
            each["Properties"]
            for each in of_type(plain, "AWS::S3::BucketPolicy").values()
            if each["Properties"]["Bucket"] == {"Ref": name}
        )
        assert policy["PolicyDocument"]["Statement"][0]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert days == {"uploads/": 1, "pictures/": {"Ref": "KeepDays"}, "rescore/": 365}
    pictures = BucketPictures(stack["outputs"]["PicturesBucket"], 30)
    pictures.put("1" * 32, b"picture")
    assert pictures.get("1" * 32) == b"picture"
    assert BucketShelf(stack["outputs"]["ListsBucket"]).put("rescore/a/manifest.jsonl", io.BytesIO(b"{}"))


def test_the_queue_takes_a_job_of_the_definition(stack: dict[str, Any], aws: list[str]) -> None:
    from chalicelib.batch_jobs import BatchJobs

    jobs = BatchJobs(stack["outputs"]["Queue"], stack["names"]["Rescoring"])
    job = jobs.submit("night", "s3://lists/rescore/a/manifest.jsonl", 1)
    (told,) = boto3.client("batch").describe_jobs(jobs=[job])["jobs"]
    variables = {each["name"]: each["value"] for each in told["container"]["environment"]}
    assert variables["UNMASK_TABLE"] == stack["outputs"]["Table"]
    Settings.from_environment({name: value for name, value in variables.items() if name.startswith("UNMASK_")})


def test_the_pool_and_its_client_are_what_the_extension_speaks_to(plain: dict[str, Any], aws: list[str]) -> None:
    """Made by Cognito's own API from the template's words, since moto's CloudFormation makes none."""
    people = boto3.client("cognito-idp")
    wanted = {**plain["Resources"]["People"]["Properties"], "DeletionProtection": "INACTIVE"}
    pool = people.create_user_pool(PoolName="unmask-dev", **{k: v for k, v in wanted.items() if k != "UserPoolName"})
    wanted = plain["Resources"]["PeopleClient"]["Properties"]
    client = people.create_user_pool_client(**{**wanted, "UserPoolId": pool["UserPool"]["Id"]})["UserPoolClient"]
    assert "ClientSecret" not in client
    assert set(client["ExplicitAuthFlows"]) == {"ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"}
    signed = people.sign_up(ClientId=client["ClientId"], Username="me@example.org", Password="correct horse battery")
    assert signed["UserSub"]


def test_what_is_owned_wants_somebody_who_has_signed_in(template: dict[str, Any]) -> None:
    body = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]
    guarded = {
        (method.upper(), path)
        for path, methods in body["paths"].items()
        for method, told in methods.items()
        if told.get("security")
    }
    owned = {
        ("POST", "flags"),
        ("GET", "flags"),
        ("DELETE", "flags"),
        ("GET", "flags/{flag_id}"),
        ("DELETE", "flags/{flag_id}"),
        ("DELETE", "checks/{check_id}"),
        ("GET", "reports"),
        ("GET", "reports/{night}"),
    }
    assert guarded == {(method, f"/{version}/{path}") for method, path in owned for version in ("v1", "v2")}
    (people,) = body["securityDefinitions"].values()
    assert people["x-amazon-apigateway-authorizer"]["providerARNs"] == [{"Fn::GetAtt": ["People", "Arn"]}]


def test_what_the_gateway_says_itself_can_be_read_by_a_page_and_is_of_our_shape(template: dict[str, Any]) -> None:
    told = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]["x-amazon-apigateway-gateway-responses"]
    assert {"DEFAULT_4XX", "DEFAULT_5XX", "UNAUTHORIZED", "THROTTLED", "REQUEST_TOO_LARGE"} <= told.keys()
    for name, response in told.items():
        assert response["responseParameters"]["gatewayresponse.header.Access-Control-Allow-Origin"] == "'*'"
        if not name.startswith("DEFAULT"):
            error = json.loads(response["responseTemplates"]["application/json"])["error"]
            assert re.fullmatch("[a-z_]+", error["code"])
            assert error["message"].endswith(".")


def test_every_variable_is_a_setting_and_each_function_starts_with_its_own(
    template: dict[str, Any], plain: dict[str, Any]
) -> None:
    for function in of_type(plain, "AWS::Lambda::Function").values():
        variables = function["Properties"]["Environment"]["Variables"]
        words = {"UNMASK_KEEP_DAYS": "30", "UNMASK_CHECKS_PER_MINUTE": "60"}
        given = {
            name: value if isinstance(value, str) else words.get(name, "name")
            for name, value in variables.items()
            if name.startswith("UNMASK_")
        }
        Settings.from_environment(given)
        assert variables["POWERTOOLS_SERVICE_NAME"] == {"Fn::Sub": "unmask-${Stage}"}


def test_requests_go_to_the_alias_that_new_versions_come_to_step_by_step(plain: dict[str, Any]) -> None:
    body = plain["Resources"]["RestAPI"]["Properties"]["Body"]
    addresses = {
        json.dumps(told["x-amazon-apigateway-integration"]["uri"])
        for methods in body["paths"].values()
        for method, told in methods.items()
        if method != "options"
    }
    assert len(addresses) == 1
    assert "${APIHandler.Arn}:live/" in addresses.pop()
    (alias,) = of_type(plain, "AWS::Lambda::Alias").values()
    assert alias["Properties"]["Name"] == "live"
    assert "UpdatePolicy" in alias, "CodeDeploy shifts it"
    permission = plain["Resources"]["APIHandlerInvokePermission"]["Properties"]
    assert permission["FunctionName"] == {"Ref": next(iter(of_type(plain, "AWS::Lambda::Alias")))}


def test_a_template_without_an_alias_stays_as_it_is() -> None:
    template = {"Resources": {"APIHandler": {"Properties": {}}, "RestAPI": {}}}
    assert finish(template) == template


def test_alarms_and_dashboard_read_figures_that_are_told(plain: dict[str, Any], aws: list[str]) -> None:
    sources = "".join(
        (ROOT / path).read_text()
        for path in ("backend/app.py", "backend/chalicelib/sight.py", "training/rescoring/pulse.py")
    )
    dashboard = json.loads(plain["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"])
    read = {
        metric[1]
        for widget in dashboard["widgets"]
        for metric in widget["properties"]["metrics"]
        if metric[0] == NAMESPACE
    }
    alarms = of_type(plain, "AWS::CloudWatch::Alarm")
    read |= {
        each["Properties"]["MetricName"] for each in alarms.values() if each["Properties"]["Namespace"] == NAMESPACE
    }
    assert {"Errors", "OldestDueSeconds", "Checks", "CacheHits"} <= read
    for metric in read:
        assert f'"{metric}"' in sources, metric
    watch = boto3.client("cloudwatch")
    for name, alarm in alarms.items():
        told = {**alarm["Properties"], "AlarmActions": ["arn:aws:sns:eu-central-1:1:a"], "OKActions": []}
        told["Dimensions"] = [{**each, "Value": "x"} for each in told["Dimensions"]]
        # boto3 holds each against CloudWatch's own description.
        watch.put_metric_alarm(AlarmName=name, **told)
    guide = (ROOT / "infra" / "README.md").read_text()
    for name in alarms:
        assert f"`{name}`" in guide, f"the guide does not say what {name} means"
