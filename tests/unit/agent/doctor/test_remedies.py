"""No degraded reason without a remedy."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from agent.doctor.finding import Verdict
from agent.doctor.remedies import REMEDIES, UNKNOWN, remedy_of

AGENT = Path(__file__).parents[4] / "agent"


def _reasons_in(source: str) -> Iterator[str]:
    """The reasons that a module gives: what it adds to `degraded`, `troubles` or `found`, and its `trouble`s."""
    tree = ast.parse(source)
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.AnnAssign | ast.Assign) and isinstance(node.value, ast.Constant)
        for target in ([node.target] if isinstance(node, ast.AnnAssign) else node.targets)
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        given: list[ast.expr] = []
        if isinstance(node, ast.AugAssign) and ast.unparse(node.target) in ("degraded", "troubles"):
            given = [node.value]
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("degraded.append", "troubles.append"):
            given = list(node.args)
        if isinstance(node, ast.FunctionDef) and node.name == "troubles":
            given = [part for part in ast.walk(node) if isinstance(part, ast.JoinedStr)]
        if isinstance(node, ast.keyword) and node.arg == "trouble":
            given = [node.value]
        for value in given:
            yield from _texts(value, constants)


def _texts(value: ast.expr, constants: Mapping[str, object]) -> Iterator[str]:
    match value:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
            yield text.partition(":")[0]
        case ast.Name(id=name) if isinstance(constants.get(name), str):
            yield str(constants[name])
        case ast.IfExp(body=body, orelse=other):
            yield from _texts(body, constants)
            yield from _texts(other, constants)
        case ast.List(elts=parts):
            for part in parts:
                yield from _texts(part, constants)
        case ast.ListComp(elt=element):
            yield from _texts(element, constants)


def _all_reasons() -> set[str]:
    return {
        reason
        for path in AGENT.rglob("*.py")
        if "doctor" not in path.relative_to(AGENT).parts
        for reason in _reasons_in(path.read_text(encoding="utf-8"))
    }


def test_every_degraded_reason_has_a_remedy() -> None:
    """Who reads a reason in status must find what to do."""
    assert _all_reasons() - set(REMEDIES) == set()
    assert len(_all_reasons()) >= 11


def test_reasons_are_found_in_every_form_in_which_the_code_gives_them() -> None:
    """The search itself: without it the test above would pass by finding nothing."""
    source = (
        'R: Final = "d"\n'
        'degraded += ["a"] if bad else []\n'
        'degraded += [f"b:{x}" for x in y]\n'
        'troubles.append("c")\n'
        "report = replace(report, trouble=R)\n"
        'def troubles(self):\n    found.append(f"e:{name}")\n'
    )
    assert set(_reasons_in(source)) == {"a", "b", "c", "d", "e"}


@pytest.mark.parametrize("reason", REMEDIES)
def test_remedy_says_what_it_means_and_what_to_do(reason: str) -> None:
    """Whole sentences, with or without what the reason is about; never a pass."""
    remedy = remedy_of(f"{reason}:something")
    assert remedy is REMEDIES[reason]
    assert remedy.verdict is not Verdict.PASS
    assert remedy.means.endswith(".")
    assert remedy.todo.endswith(".")


def test_reason_of_a_later_release_is_not_swallowed() -> None:
    """A daemon newer than the command may know more."""
    assert remedy_of("brand_new") is UNKNOWN
