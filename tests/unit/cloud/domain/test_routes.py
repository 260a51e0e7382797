"""Which family carries out what."""

import pytest

from cloud.domain.payloads import RequestType
from cloud.domain.routes import Family, family


@pytest.mark.parametrize("kind", RequestType)
def test_every_type_has_a_family_whatever_was_asked_before(kind: RequestType) -> None:
    """No type is forgotten, and none depends on the order in which they are asked for."""
    alone = family(kind)
    for other in RequestType:
        family(other)
    assert family(kind) is alone


def test_every_family_has_a_type() -> None:
    """No topic, queue and function for nothing."""
    assert {family(kind) for kind in RequestType} == set(Family)


def test_imports_have_a_family_of_their_own() -> None:
    """One of them takes minutes, and nobody's lost card waits behind it."""
    assert [kind for kind in RequestType if family(kind) is Family.IMPORTS] == [RequestType.PEOPLE_IMPORT]
