"""The table and the lists as the adapters see them."""

import secrets

import pytest

from cloud.adapters.aws import AwsError
from cloud.adapters.entities import MAX_BATCH, EntityStore
from cloud.adapters.list_changes import ListChanges
from cloud.adapters.secrets import SiteSecrets, site_secret
from cloud.contract.allowlist import Change, open_delta
from cloud.contract.errors import ContractError
from cloud.domain import keys
from cloud.domain.keys import LISTING_INDEX
from cloud.errors import PublishError, TooLarge
from tests.rigs.back_office import ENVIRONMENT, Office, card_id

pytestmark = pytest.mark.system

NOW_S = 1_800_000_000


@pytest.fixture
def lists(office: Office) -> ListChanges:
    offices = office.offices
    keys_of_sites = SiteSecrets(ENVIRONMENT, offices.access.secretsmanager())
    return ListChanges(offices.table, offices.dynamodb, keys_of_sites, lambda: NOW_S)


def card(number: int, **fields: object) -> Change:
    item = {"v": 1, "kind": "card", "id": card_id(number), "person": "p", **fields}
    return Change("card", card_id(number), item)


class TestEntities:
    """Reading."""

    def test_many_items_are_read_as_they_are_whether_they_are_there_or_not(self, office: Office) -> None:
        """More than one call takes, and the same key twice."""
        names = [f"p{number}" for number in range(MAX_BATCH + 20)]
        for name in names[::2]:
            office.put(keys.person(office.site, name), {"person": name, "count": 3})
        wanted = [keys.person(office.site, name) for name in [*names, *names]]
        found = office.entities.get_many(wanted)
        assert set(found) == set(wanted)
        assert {key for key, item in found.items() if item is None} == {
            keys.person(office.site, name) for name in names[1::2]
        }
        assert found[keys.person(office.site, "p0")] == office.entities.get(keys.person(office.site, "p0"))

    def test_pages_lead_through_all_of_a_partition(self, office: Office) -> None:
        """Of an index or of the table, forwards and backwards, each item once."""
        for name in "abcde":
            fields = {"person": name, "g2pk": f"PEOPLE#{office.site}", "g2sk": name}
            office.put(keys.person(office.site, name), fields)
        for forward, expected in ((True, "abcde"), (False, "edcba")):
            found, start = "", None
            while True:
                items, start = office.entities.query(
                    LISTING_INDEX, f"PEOPLE#{office.site}", start=start, limit=2, forward=forward
                )
                assert len(items) <= 2
                found += "".join(item["person"] for item in items)
                if start is None:
                    break
            assert found == expected

    def test_sort_keys_can_be_narrowed_down(self, office: Office) -> None:
        """By their beginning, or between two of them."""
        for name in ("a1", "a2", "b1", "c1"):
            office.put(keys.place(office.site, "door", name), {"door": name})
        partition = f"SITE#{office.site}"
        begin, _ = office.entities.query(None, partition, prefix="DOOR#a")
        between, _ = office.entities.query(None, partition, between=("DOOR#a2", "DOOR#b1"))
        assert [item["door"] for item in begin] == ["a1", "a2"]
        assert [item["door"] for item in between] == ["a2", "b1"]

    def test_error_is_never_taken_for_an_item_that_is_not_there(self, office: Office) -> None:
        """Who decided on that would write a wrong state back."""
        broken = EntityStore("no-such-table", office.offices.dynamodb)
        with pytest.raises(AwsError):
            broken.get(("a", "b"))
        with pytest.raises(AwsError):
            broken.get_many([("a", "b")])
        with pytest.raises(AwsError):
            broken.query(None, "a")


class TestListChanges:
    """The list's part of a transaction."""

    def test_delta_follows_the_head_that_was_read(self, office: Office, lists: ListChanges) -> None:
        """One version on, signed by the site's key, never earlier than what is published already."""
        before = office.head()
        head, writes = lists.writes(office.site, [card(1)])
        assert (head.epoch, head.version, head.snapshot_version) == (before.epoch, before.version + 1, 1)
        assert head.at >= before.at
        item = writes[1]["Put"]["Item"]
        delta = open_delta(item["doc"]["S"], item["changes"]["B"], [office.key.public_key()])
        assert (delta.prev_version, delta.version, delta.allow_shrink) == (before.version, head.version, False)
        assert delta.changes == (card(1),)

    def test_item_that_no_door_would_take_is_not_published(self, office: Office, lists: ListChanges) -> None:
        """Nor one that is another than its change says."""
        wrong = card(2)
        for change in (card(1, status="eaten"), Change("card", card_id(1), wrong.item)):
            with pytest.raises(ContractError):
                lists.writes(office.site, [change])

    def test_changes_that_do_not_fit_into_one_delta_are_refused(self, office: Office, lists: ListChanges) -> None:
        """With a clear error: half of a transaction is no way out."""
        with pytest.raises(TooLarge):
            lists.writes(office.site, [card(secrets.randbits(128)) for _ in range(20_000)])

    def test_site_without_a_list_is_an_error_and_not_an_empty_list(self, lists: ListChanges) -> None:
        """Who lost a head must say that a new list is meant."""
        with pytest.raises(PublishError, match="no list"):
            lists.writes("nowhere", [card(1)])

    def test_head_of_another_site_is_not_followed(self, office: Office, lists: ListChanges) -> None:
        """Even if its signature is right."""
        other = Office(office.offices)
        text = office.lists.head()
        other.lists.replace_head(other.lists.head(), str(text))
        name = site_secret(ENVIRONMENT, other.site, "list-sign")
        service = office.offices.access.secretsmanager()
        service.put_secret_value(SecretId=name, SecretString=office.key.private_bytes_raw().hex())
        with pytest.raises(ContractError, match="is of site"):
            lists.writes(other.site, [card(1)])
