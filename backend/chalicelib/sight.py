"""What an operator sees in AWS: figures that CloudWatch reads out of log lines, by Powertools for AWS Lambda.

They tell neither who asked nor what was sent. The dashboard and the alarms of infra/ read them by these names.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

NAMESPACE = "Unmask"
# The stage, such as `unmask-dev`: Powertools makes it a dimension of every figure.
STAGE = "POWERTOOLS_SERVICE_NAME"
STEPS = {"decode": "DecodeMs", "faces": "FacesMs", "detector": "DetectorMs"}


def is_watched(environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether somebody reads figures here."""
    return bool(environ.get(STAGE))


def describe_answer(body: object) -> dict[str, Any]:
    """Return what may be logged of an answer: of a check the verdict, the model and the timings; of all else nothing.

    Args:
        body: as it goes out.
    """
    if not isinstance(body, Mapping) or "timing_ms" not in body:
        return {}
    return {
        "verdict": body["verdict"],
        "kind": body["media"]["kind"],
        "model": body["model"]["version"],
        "cached": body["cached"],
        "timing_ms": body["timing_ms"],
    }


def tell_request(status: int, ms: float, cold: bool, told: Mapping[str, Any]) -> None:
    """Tell the figures of one request.

    Args:
        status: of the answer.
        ms: that it took.
        cold: whether it was the first of its process.
        told: see `describe_answer`.
    """
    figures: dict[str, float] = {
        "RequestMs": ms,
        "ColdStarts": cold,
        "Errors": status >= 500,
        "Refusals": status == 429,
    }
    if told:
        figures["CacheHits"] = told["cached"]
        if not told["cached"]:
            figures |= {name: told["timing_ms"][step] for step, name in STEPS.items()}
    tell(figures)
    if told:
        tell({"Checks": 1.0}, verdict=told["verdict"])


def tell(figures: Mapping[str, float], **dimensions: str) -> None:
    """Print figures as CloudWatch's embedded metric format; those named …Ms are milliseconds, …Seconds seconds.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    from aws_lambda_powertools.metrics import EphemeralMetrics

    metrics = EphemeralMetrics(namespace=NAMESPACE)
    for name, text in dimensions.items():
        metrics.add_dimension(name, text)
    for name, value in figures.items():
        metrics.add_metric(name, _name_unit(name), float(value))
    metrics.flush_metrics()


def _name_unit(name: str) -> str:
    if name.endswith("Ms"):
        return "Milliseconds"
    return "Seconds" if name.endswith("Seconds") else "Count"
