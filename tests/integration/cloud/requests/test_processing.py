"""Requests carried out on the real table, and what the doors then know."""

import pytest

from tests.rigs.back_office import Office, card_id

pytestmark = pytest.mark.system


def test_request_has_effect_status_list_and_audit(office: Office) -> None:
    """A card that is issued is on the doors' list, the request is done and says which list, and one entry is kept."""
    office.people("ann")
    office.cards(1)
    envelope = office.ask("card.issue", {"card": card_id(1), "person": "ann", "note": "first day"})
    assert office.deliver(envelope) == []
    status = office.status(envelope)
    assert (status["status"], status["list"]["version"]) == ("done", office.head().version)
    (entry,) = office.audit(envelope)
    assert (entry["outcome"], entry["action"], entry["note"]) == ("done", "card.issue", "first day")
    assert office.doors_view()["card", card_id(1)]["status"] == "active"
    assert office.doors_view() == office.tables_view()
