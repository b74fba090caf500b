"""What Chalice's template lacks and no template that is merged with it can say."""

from __future__ import annotations

from typing import Any

# The function that answers, and its alias, which goes over to a new version step by step.
HANDLER = "APIHandler"
CODE = f"${{{HANDLER}.Arn}}"
# Chalice's role for all functions; ours have one each, see templates/functions.json.
UNUSED = "DefaultRole"


def finish(template: dict[str, Any]) -> dict[str, Any]:
    """Return the template with the API led to the alias of its function, and without a role that nobody has.

    Chalice leads the API to the latest code, which an alias cannot hold back. Where there is no alias, nothing is
    changed.

    Args:
        template: as Chalice writes it, ours merged in.
    """
    resources = template["Resources"]
    alias = resources[HANDLER]["Properties"].get("AutoPublishAlias")
    if alias is None:
        return template
    finished = {**template, "Resources": {**resources, "RestAPI": _lead(resources["RestAPI"], alias)}}
    if not _refers(finished, UNUSED):
        del finished["Resources"][UNUSED]
    return finished


def _lead(value: Any, alias: str) -> Any:
    """Return a part of the template with the alias in the place of the function."""
    if isinstance(value, dict):
        return {key: _lead(each, alias) for key, each in value.items()}
    if isinstance(value, list):
        return [_lead(each, alias) for each in value]
    return value.replace(CODE, f"{CODE}:{alias}") if isinstance(value, str) else value


def _refers(value: Any, name: str) -> bool:
    """Return whether a part of the template refers to a resource."""
    if isinstance(value, dict):
        told = value.get("Ref"), value.get("Fn::GetAtt", [None])[0]
        return name in told or any(_refers(each, name) for each in value.values())
    if isinstance(value, list):
        return any(_refers(each, name) for each in value)
    return isinstance(value, str) and f"${{{name}" in value
