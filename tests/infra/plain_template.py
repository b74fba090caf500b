"""The template as CloudFormation sees it once SAM is through, and as much of it as a stand-in for AWS can make."""

from __future__ import annotations

import copy
import json
import re
import warnings
from typing import Any

# What moto makes in part only, and stumbles over.
STUMBLED = (
    *("AWS::Lambda::Permission", "AWS::Lambda::Alias", "AWS::Lambda::Version"),
    *("AWS::ApiGateway::Deployment", "AWS::ApiGateway::Stage"),
)
# What stands where a resource is spoken of that the stand-in cannot make.
STAND_IN = "stand-in"


def translate(template: dict[str, Any], stage: str) -> dict[str, Any]:
    """Return the template without SAM's short forms, as AWS translates it."""
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator

    template = copy.deepcopy(template)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            # SAM wants the zip in S3.
            resource["Properties"]["CodeUri"] = "s3://build/deployment.zip"
    plain: dict[str, Any] = Translator({}, Parser()).translate(template, {"Stage": stage})
    plain.pop("Transform", None)
    # SAM hands over objects of its own.
    return dict(json.loads(json.dumps(plain)))


def keep_what_moto_makes(plain: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """Return the template without the resources that moto cannot make, and their names."""
    from moto.cloudformation.parsing import resource_class_from_type

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lost = {
            name
            for name, each in plain["Resources"].items()
            if each["Type"] in STUMBLED or resource_class_from_type(each["Type"]) is None
        }
    plain = copy.deepcopy(plain)
    for each in plain["Resources"].values():
        if each["Type"] == "AWS::Batch::ComputeEnvironment":
            # AWS takes its own where none is told.
            each["Properties"].setdefault("ServiceRole", {"Fn::GetAtt": ["MachineRole", "Arn"]})
    kept = {name: _forget(each, lost) for name, each in plain["Resources"].items() if name not in lost}
    outputs = {name: _forget(each, lost) for name, each in plain.get("Outputs", {}).items()}
    return {**plain, "Resources": kept, "Outputs": outputs}, lost


def _forget(value: Any, lost: set[str]) -> Any:
    if isinstance(value, dict):
        if value.get("Ref") in lost or value.get("Fn::GetAtt", [None])[0] in lost:
            return STAND_IN
        return {
            key: _forget(each, lost) for key, each in value.items() if not (key == "DependsOn" and _names(each) & lost)
        }
    if isinstance(value, list):
        return [_forget(each, lost) for each in value]
    if isinstance(value, str):
        return re.sub(r"\$\{(\w+)(\.\w+)?\}", lambda found: STAND_IN if found[1] in lost else found[0], value)
    return value


def _names(depends: str | list[str]) -> set[str]:
    return {depends} if isinstance(depends, str) else set(depends)
