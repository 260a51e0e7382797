"""Stacks in stacks: what is handed on is what the nested template asks for."""

import json
import re

import pytest

from tests.rigs.templates import Resource, resources, template, text

NESTED = resources("AWS::CloudFormation::Stack")


@pytest.mark.parametrize("found", NESTED, ids=str)
def test_nested_stack_gets_each_parameter_it_needs_and_no_other(found: Resource) -> None:
    """Neither is found before the parent's deployment is half done: cfn-lint can't follow a URL made at deploy time."""
    declared = template(text(found.properties["TemplateURL"]).rpartition("/")[2])["Parameters"]
    given = found.properties["Parameters"]
    needed = {name for name, parameter in declared.items() if "Default" not in parameter}
    assert sorted(given.keys() - declared.keys()) == []
    assert sorted(needed - given.keys()) == []


@pytest.mark.parametrize("found", NESTED, ids=str)
def test_outputs_that_are_asked_of_a_nested_stack_exist(found: Resource) -> None:
    """An output that was renamed fails the parent late, too."""
    outputs = template(text(found.properties["TemplateURL"]).rpartition("/")[2]).get("Outputs", {})
    asked = re.findall(rf'"{found.name}", "Outputs\.(\w+)"', json.dumps(template(found.template)))
    assert sorted({*asked} - outputs.keys()) == []
