"""The CloudFormation templates as plain data, and what tests ask of them. Short forms such as !Ref are spelled out."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from cfnlint.decode.cfn_yaml import load

STACKS: Final = Path(__file__).resolve().parents[2] / "cloud" / "stacks"
NAMES: Final = tuple(sorted(path.name for path in STACKS.glob("*.yaml")))


@dataclass(frozen=True)
class Resource:
    """A resource of a template."""

    template: str
    name: str
    body: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.template}:{self.name}"

    @property
    def kind(self) -> str:
        kind: str = self.body["Type"]
        return kind

    @property
    def properties(self) -> dict[str, Any]:
        properties: dict[str, Any] = self.body.get("Properties", {})
        return properties


@dataclass(frozen=True)
class Statement:
    """A statement of a role's own policies."""

    role: Resource
    body: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.role}:{self.body['Sid']}"

    @property
    def actions(self) -> list[str]:
        return _listed(self.body["Action"])

    @property
    def resources(self) -> list[str]:
        """As text; what is substituted is named in braces."""
        return [text(resource) for resource in _listed(self.body["Resource"])]


@cache
def template(name: str) -> dict[str, Any]:
    """A template."""
    document: dict[str, Any] = json.loads(json.dumps(load(str(STACKS / name))))
    return document


def resources(*kinds: str) -> list[Resource]:
    """All resources of all templates, of these types if any is given."""
    return [
        Resource(name, logical, body)
        for name in NAMES
        for logical, body in template(name)["Resources"].items()
        if not kinds or body["Type"] in kinds
    ]


def resource(template_name: str, logical: str) -> Resource:
    """One resource."""
    return Resource(template_name, logical, template(template_name)["Resources"][logical])


def statements() -> Iterator[Statement]:
    """What all roles may do."""
    for role in resources("AWS::IAM::Role"):
        for policy in role.properties.get("Policies", ()):
            for body in policy["PolicyDocument"]["Statement"]:
                yield Statement(role, body)


def text(value: Any) -> str:
    """A value as text: what a function gives is named in braces."""
    if isinstance(value, dict) and set(value) == {"Fn::Sub"}:
        return str(value["Fn::Sub"])
    if isinstance(value, dict) and set(value) == {"Ref"}:
        return f"${{{value['Ref']}}}"
    return str(value)


def queue_of(arn: str) -> str:
    """The name in an ARN of a queue."""
    match = re.fullmatch(r"arn:.*:sqs:.*:(?P<name>.+)", arn)
    assert match, arn
    return match["name"]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
