"""Reading lists: what is not the service's own answer is no list, and no absence of one."""

from collections.abc import Mapping
from typing import Any, cast

import pytest

from agent.aws.errors import Translated
from agent.aws.lists import DynamoListSource
from agent.aws.session import AwsSession
from agent.errors import FailureKind, Transient
from tests.rigs.site_lists import Site

SITE = Site()


class Table:
    """A DynamoDB client that gives every request the same answer."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        self._answer = answer

    def dynamodb(self) -> "Table":
        return self

    def call(self, doing: str) -> Translated:
        return Translated(doing)

    def get_item(self, **_: Any) -> Mapping[str, Any]:
        return self._answer

    def query(self, **_: Any) -> Mapping[str, Any]:
        return self._answer


def source(answer: Mapping[str, Any]) -> DynamoListSource:
    session = cast("AwsSession", Table(answer))
    return DynamoListSource(session, table="t", bucket="b", site="hq", keys=[SITE.key.public_key()])


def test_an_empty_answer_of_the_service_means_no_list() -> None:
    """The service says that there is no such item."""
    answered = {"ResponseMetadata": {"RequestId": "1"}}
    assert source(answered).head() is None
    assert list(source(answered).deltas(1, 0, 5)) == []


@pytest.mark.parametrize("answer", [{}, {"ResponseMetadata": {"HTTPStatusCode": 200}}])
def test_an_empty_answer_of_somebody_else_is_a_transport_fault(answer: Mapping[str, Any]) -> None:
    """A captive portal's page comes to an empty answer: it must not read as "this site has no list"."""
    with pytest.raises(Transient) as caught:
        source(answer).head()
    assert caught.value.kind is FailureKind.TRANSPORT
    with pytest.raises(Transient):
        list(source(answer).deltas(1, 0, 5))


def test_no_version_after_the_newest_is_no_question_to_the_service() -> None:
    """It refuses a range that ends before it begins; a list that is complete has no deltas to come."""
    unasked = source({})
    assert list(unasked.deltas(1, 5, 5)) == []
