"""Requests carried out on the real table, and what the doors then know."""

import json
from typing import Any

import pytest

from cloud.adapters.transactions import MAX_WRITES
from cloud.contract.canonical import canonical_bytes
from cloud.contract.itemcodec import instant
from cloud.domain import keys
from cloud.domain.envelope import object_name
from cloud.domain.outcome import Rejected
from cloud.domain.payloads import RequestType
from cloud.domain.routes import Family
from cloud.handlers import processor
from cloud.handlers.writing import settler
from tests.rigs.back_office import Context, Office, card_id, failures, sns_body, sqs_record

pytestmark = pytest.mark.system

NEW_CARD = {"cards": [{"card": card_id(1)}]}


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


STEPS: list[tuple[str, dict[str, Any]]] = [
    ("building.put", {"building": "b", "name": "B"}),
    ("area.put", {"area": "in", "name": "In", "building": "b"}),
    ("door.put", {"door": "d", "name": "D", "building": "b", "inside": "in"}),
    ("holidays.put", {"holidays": "h", "name": "H", "dates": ["2026-12-25"]}),
    ("schedule.put", {
        "schedule": "s", "name": "S", "zone": "Europe/Berlin", "holidays": "h",
        "windows": [{"days": ["mon"], "start": "08:00", "end": "18:00"}],
    }),
    ("group.put", {"group": "g", "name": "G", "grants": [{"door": "d", "schedule": "s"}]}),
    ("device.register", {"device": "DEVICE", "keys": ["ab" * 32], "doors": ["d"]}),
    ("person.create", {"person": "p", "name": "P"}),
    ("person.update", {"person": "p", "email": "p@example.org"}),
    ("permission.grant", {"person": "p", "group": "g", "valid_from": "2026-01-01T00:00:00Z"}),
    ("card.register", {"cards": [{"card": card_id(number)} for number in (1, 2, 3)]}),
    ("card.issue", {"card": card_id(1), "person": "p", "building": "b", "complete_onboarding": True}),
    ("card.replace", {"card": card_id(1), "by": card_id(2), "reason": "lost"}),
    ("card.expire", {"card": card_id(2)}),
    ("card.reactivate", {"card": card_id(2)}),
    ("card.return", {"card": card_id(2)}),
    ("card.issue", {"card": card_id(2), "person": "p"}),
    ("card.report_lost", {"card": card_id(2)}),
    ("card.revoke", {"card": card_id(2)}),
    ("card.report_stolen", {"card": card_id(2)}),
    ("card.destroy", {"card": card_id(3)}),
    ("people.import", {"rows": [{"line": 2, "person": "q", "name": "Q", "card": card_id(4), "groups": ["g"]}]}),
    ("operator.grant", {"subject": "op", "role": "operator"}),
    ("person.deactivate", {"person": "p"}),
    ("person.activate", {"person": "p"}),
    ("device.retire", {"device": "DEVICE"}),
    ("permission.end", {"person": "q", "permission": "PERMISSION"}),
    ("permission.end", {"person": "p", "permission": "PERMISSION"}),
    ("operator.end", {"subject": "op", "grant": "GRANT"}),
    ("group.remove", {"id": "g"}),
    ("schedule.remove", {"id": "s"}),
    ("holidays.remove", {"id": "h"}),
    ("door.remove", {"id": "d"}),
    ("area.remove", {"id": "in"}),
    ("building.remove", {"id": "b"}),
]  # fmt: skip


def test_every_type_of_request_is_carried_out_and_told_to_the_doors(office: Office) -> None:
    """Each of them ends as done, and after each one the doors' signed list is what the table says it must be."""
    assert {kind for kind, _ in STEPS} == {kind.value for kind in RequestType}
    granted = ""
    for kind, template in STEPS:
        payload = {name: f"{office.site}-dev" if value == "DEVICE" else value for name, value in template.items()}
        if kind == "permission.end":
            person = office.entities.get((f"PERSON#{office.site}#{payload['person']}", "-"))
            assert person is not None
            payload["permission"] = person["permissions"][0]["permission"]
        elif kind == "operator.end":
            payload["grant"] = granted
        envelope = office.ask(kind, payload)
        assert office.deliver(envelope) == [], kind
        status = office.status(envelope)
        assert status["status"] == "done", (kind, status)
        granted = envelope.id if kind == "operator.grant" else granted
        assert office.doors_view() == office.tables_view(), kind


def test_request_that_comes_again_changes_nothing(office: Office) -> None:
    """A queue delivers at least once, also in one batch: one effect, one entry, the same status."""
    envelope = office.ask("card.register", NEW_CARD)
    assert office.deliver(envelope, envelope) == []
    status = office.status(envelope)
    assert office.deliver(envelope) == []
    assert (status["status"], office.status(envelope)) == ("done", status)
    assert len(office.audit(envelope)) == 1


def test_rejection_is_recorded_and_final(office: Office) -> None:
    """What can't be done is acknowledged with its reason and in the audit; it is not tried again when it could."""
    envelope = office.ask("card.issue", {"card": card_id(1), "person": "nobody"})
    before = office.head()
    assert office.deliver(envelope) == []
    office.people("nobody")
    office.cards(1)
    assert office.deliver(envelope) == []
    status = office.status(envelope)
    assert (status["status"], status["code"]) == ("rejected", "card_unknown")
    (entry,) = office.audit(envelope)
    assert (entry["outcome"], entry["code"]) == ("rejected", "card_unknown")
    assert office.head().version == before.version + 1


def test_refusal_of_more_than_a_transaction_takes_is_recorded_too(office: Office) -> None:
    """More was read for it than can be checked in one transaction: it is refused all the same."""
    envelope = office.ask("card.register", NEW_CARD)
    writer = settler(office.offices.environ(), office.offices.access, office.offices.dynamodb)
    reads = {keys.place(office.site, "door", f"d{number}"): None for number in range(MAX_WRITES)}
    writer.reject(envelope, envelope.content(), None, Rejected("too_many_references", "Too many."), reads)
    assert office.status(envelope)["code"] == "too_many_references"


class TestRoles:
    """The role is checked again, as it was when the request was made."""

    def test_role_that_ended_since_then_still_counts(self, office: Office) -> None:
        """A request that was allowed when it was made is carried out, however late it is delivered."""
        office.grant("op", "operator", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")
        at_s = instant("2026-01-31T23:59:59Z")
        done = office.do("card.register", NEW_CARD, subject="op", roles=["operator"], at_s=at_s)
        assert done["status"] == "done"

    @pytest.mark.parametrize("at", ["2025-12-31T23:59:59Z", "2026-02-01T00:00:00Z"])
    def test_role_that_did_not_hold_then_does_not_count(self, office: Office, at: str) -> None:
        """One before its beginning, or at its end, is rejected, although the identity provider named the role."""
        office.grant("op", "operator", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")
        status = office.do("card.register", NEW_CARD, subject="op", roles=["operator"], at_s=instant(at))
        assert (status["status"], status["code"]) == ("rejected", "not_permitted")

    def test_role_of_another_site_does_not_count(self, office: Office) -> None:
        """Who may act elsewhere may not act here, unless the role is for every site."""
        office.grant("op", "operator", site="elsewhere")
        first = office.do("card.register", NEW_CARD, subject="op", roles=["operator"])
        office.grant("op-all", "operator", site="*")
        second = office.do("card.register", NEW_CARD, subject="op-all", roles=["operator"])
        assert (first["status"], second["status"]) == ("rejected", "done")

    def test_role_that_the_identity_provider_did_not_name_does_not_count(self, office: Office) -> None:
        """A grant in the table alone is not enough."""
        status = office.do("card.register", NEW_CARD, roles=["viewer"])
        assert (status["status"], status["code"]) == ("rejected", "not_permitted")

    def test_import_needs_a_role_too(self, office: Office) -> None:
        """The way of imports is no way around the roles."""
        rows = [{"line": 2, "person": "p", "name": "P"}]
        status = office.do("people.import", {"rows": rows}, subject="stranger", roles=["operator"])
        assert (status["status"], status["code"]) == ("rejected", "not_permitted")
        assert ("person", "p") not in office.doors_view()


class TestBatches:
    """Every message of a batch is for itself."""

    def test_poison_spoils_no_other_message(self, office: Office) -> None:
        """A message that nobody can understand comes back, to end among the dead letters; the others are done."""
        good = [office.ask("card.register", {"cards": [{"card": card_id(number)}]}) for number in (1, 2)]
        poison = [sqs_record("no JSON"), sqs_record(sns_body('{"bucket": 5}')), sqs_record("{}")]
        first, second = (office.message(envelope) for envelope in good)
        function = processor.assemble(office.offices.environ(Family.CARDS), office.offices.access)
        response = function({"Records": [poison[0], first, *poison[1:], second]}, Context())
        assert failures(response) == {record["messageId"] for record in poison}
        assert [office.status(envelope)["status"] for envelope in good] == ["done", "done"]

    def test_batch_of_poison_alone_is_named_whole(self, office: Office) -> None:
        """All of them are named; the function does not fail on top of that."""
        function = processor.assemble(office.offices.environ(), office.offices.access)
        records = [sqs_record("1"), sqs_record("2")]
        assert len(failures(function({"Records": records}, Context()))) == 2

    def test_request_that_can_not_be_read_for_now_is_delivered_again(self, office: Office) -> None:
        """A missing object is a technical fault, not a rejection: nothing is written; it is done once it is there."""
        envelope = office.ask("card.register", NEW_CARD)
        s3, bucket = office.offices.s3, office.offices.requests_bucket
        name = object_name(office.site, envelope.id)
        s3.delete_object(Bucket=bucket, Key=name)
        assert office.deliver(envelope) == [0]
        assert office.entities.get((f"REQUEST#{envelope.id}", "-")) is None
        office.store(name, envelope.to_bytes())
        assert office.deliver(envelope) == []
        assert office.status(envelope)["status"] == "done"

    def test_message_about_another_request_than_is_stored_is_not_believed(self, office: Office) -> None:
        """Type and family are those of the stored request, and another bucket is none of ours."""
        envelope = office.ask("card.register", NEW_CARD)
        told = json.loads(json.loads(office.message(envelope)["body"])["Message"])
        lies = [{"type": "card.revoke"}, {"site": "other"}, {"bucket": "other"}, {"type": "person.create"}]
        records = [sqs_record(sns_body(json.dumps({**told, **lie}))) for lie in lies]
        function = processor.assemble(office.offices.environ(Family.CARDS), office.offices.access)
        assert len(failures(function({"Records": records}, Context()))) == len(lies)
        assert office.entities.get((f"REQUEST#{envelope.id}", "-")) is None

    def test_request_of_a_later_release_waits_for_it(self, office: Office) -> None:
        """While functions are being updated the router may know what a processor does not know yet."""
        envelope = office.ask("card.register", NEW_CARD)
        name = object_name(office.site, envelope.id)
        office.store(name, canonical_bytes({**envelope.model_dump(mode="json"), "v": 2}))
        assert office.deliver(envelope) == [0]
        assert office.entities.get(keys.request(envelope.id)) is None

    @pytest.mark.parametrize("data", [b"{", b'{"v":1}', b"[]"])
    def test_request_that_became_unreadable_is_rejected_for_good(self, office: Office, data: bytes) -> None:
        """Each hop reads it anew: junk in any field ends as a recorded state, not as an error that goes in circles."""
        envelope = office.ask("card.register", NEW_CARD)
        office.store(object_name(office.site, envelope.id), data)
        assert office.deliver(envelope) == []
        assert office.deliver(envelope) == []
        status = office.status(envelope)
        assert (status["status"], status["code"]) == ("rejected", "unreadable")
        assert status["g2pk"] == f"REQUESTS#{office.site}"

    @pytest.mark.parametrize(
        "payload",
        [{}, {"cards": []}, {"cards": [{"card": "04a1b2c3"}]}, {"cards": [{"card": card_id(1), "uid": "04a1b2c3"}]}],
    )
    def test_junk_in_a_field_is_rejected_and_not_repeated(self, office: Office, payload: dict[str, Any]) -> None:
        """Missing, wrong and unknown fields are found, and what was in them is in no item."""
        envelope = office.ask("card.register", NEW_CARD)
        junk = {**envelope.model_dump(mode="json"), "payload": payload}
        office.store(object_name(office.site, envelope.id), canonical_bytes(junk))
        assert office.deliver(envelope) == []
        status = office.status(envelope)
        assert status["code"] == "unreadable"
        assert "04a1b2c3" not in json.dumps([status, *office.entities.query_all(None, f"AUDIT#{office.site}")])


def test_log_and_metrics_tell_ids_and_never_what_was_asked(
    office: Office, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line for each request, found by its id; names, cards and payloads are in none. Counts carry the environment."""
    # A logger of its own: those of one name share the output that the first of them found.
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "told")
    envelope = office.ask("person.create", {"person": "p-77", "name": "Secret Person", "email": "s@example.org"})
    access = office.offices.access
    assert office.deliver(envelope, access=access) == []
    office.deliver(office.ask("person.create", {"person": "p-77", "name": "Secret Person"}), access=access)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = [line for line in lines if line.get("correlation_id") == envelope.id]
    assert [line["message"] for line in told] == ["request.done"]
    assert "Secret" not in json.dumps(lines)
    assert "example.org" not in json.dumps(lines)
    counted = [line for line in lines if "_aws" in line]
    assert [line.get("requests_done") for line in counted] == [[1.0], None]
    assert [line.get("requests_rejected") for line in counted] == [None, [1.0]]
    assert counted[0]["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["environment", "service"]]
