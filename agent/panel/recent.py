"""The last events of the journal, reduced to what a person reads: no credential, no hashes, no ids."""

from collections.abc import Mapping
from typing import Any, Final

from agent.control_client import ControlClient
from agent.errors import ControlError
from cloud.contract.reasons import Reason

LOOK_BACK: Final = 60
"""Events asked for: the page shows a dozen and leaves out what is of no interest to a visitor."""
SHOWN: Final = ("seq", "at", "type", "reason", "door", "reader", "direction", "person", "sent")


def recent_events(client: ControlClient) -> list[Mapping[str, Any]]:
    """Newest first. Raises ControlError."""
    journal = client.request("status")["status"]["journal"]
    newest = journal["seq"] or 0
    events = client.request("events", since=max(0, newest - LOOK_BACK), limit=LOOK_BACK)["events"]
    if not isinstance(events, list):
        raise ControlError("the daemon sent no events")
    return [_for_people(event) for event in reversed(events)]


def _for_people(event: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**{name: event.get(name) for name in SHOWN}, "text": _text(event.get("reason"))}


def _text(code: object) -> str | None:
    """A reason in words; the code itself when this release does not know it."""
    if not isinstance(code, str):
        return None
    return next((reason.text for reason in Reason if reason.value == code), code)
