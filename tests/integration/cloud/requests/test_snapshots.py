"""The scheduled function: snapshots near the head of every site that needs one, while the lists go on."""

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.adapters.list_store import ListStore, PackedDelta
from cloud.adapters.publisher import Publisher
from cloud.adapters.secrets import site_secret
from cloud.errors import CloudError
from cloud.handlers import snapshots
from tests.rigs.back_office import ENVIRONMENT, Office, Offices, client_of, offices

pytestmark = pytest.mark.system


@pytest.fixture
def own(local_aws: Any) -> Any:
    """An environment of its own: the function looks at every site that there is."""
    with offices(local_aws) as place:
        yield place


def take(place: Offices, every: int = 3) -> list[str]:
    taken: list[str] = snapshots.assemble(place.environ(), place.access, every)()["taken"]
    return taken


def test_sites_that_need_a_snapshot_get_one(own: Offices) -> None:
    """The busy one, not the quiet one; its list stays what it was, and a second look finds nothing to do."""
    busy, quiet = Office(own), Office(own)
    busy.people("a", "b", "c")
    quiet.people("a")
    view = busy.doors_view()
    assert take(own) == [busy.site]
    head = busy.head()
    assert (head.version, head.snapshot_version) == (4, 4)
    assert busy.doors_view() == view == busy.tables_view()
    assert quiet.head().snapshot_version == 1
    assert take(own) == []


def test_site_whose_list_is_not_ours_keeps_no_other_from_its_snapshot(own: Offices) -> None:
    """It is told at the end, so that the function's error alarm rings; the others have theirs."""
    broken, sound = Office(own), Office(own)
    for office in (broken, sound):
        office.people("a", "b", "c")
    for _ in ("current", "previous"):
        client_of(own.access, "secretsmanager").put_secret_value(
            SecretId=site_secret(ENVIRONMENT, broken.site, "list-sign"),
            SecretString=Ed25519PrivateKey.generate().private_bytes_raw().hex(),
        )
    with pytest.raises(CloudError, match=broken.site):
        take(own)
    assert sound.head().snapshot_version == 4


def test_key_that_was_rotated_takes_over(own: Offices) -> None:
    """Requests and snapshots go on with the new key from a head and deltas of the one before."""
    office = Office(own)
    office.people("a")
    new = Ed25519PrivateKey.generate()
    client_of(own.access, "secretsmanager").put_secret_value(
        SecretId=site_secret(ENVIRONMENT, office.site, "list-sign"), SecretString=new.private_bytes_raw().hex()
    )
    envelope = office.ask("person.create", {"person": "b", "name": "B"})
    assert office.deliver(envelope, access=own.access) == []
    assert take(own, every=1) == [office.site]
    current = Publisher(office.lists, new).current()
    assert current is not None
    assert current[1] == office.tables_view()


class Overtaken(ListStore):
    """Lets somebody else publish before each of some writes of the head."""

    def __init__(self, store: ListStore, publish: Callable[[], object], times: int) -> None:
        self.__dict__.update(vars(store))
        self._publish = publish
        self._left = times

    def replace_head(self, old: str | None, new: str, delta: PackedDelta | None = None) -> None:
        if self._left:
            self._left -= 1
            self._publish()
        super().replace_head(old, new, delta)


def test_busy_list_gets_its_snapshot_all_the_same(own: Offices) -> None:
    """The head that came meanwhile names it, a few versions back; nothing that was published is lost."""
    office = Office(own)
    office.people("a", "b")
    names = iter("cdef")
    publisher = Publisher(Overtaken(office.lists, lambda: office.people(next(names)), 3), office.key, keep_deltas=1)
    head = publisher.compact()
    assert (head.version, head.snapshot_version, head.oldest_delta) == (6, 3, 4)
    assert office.head() == head
    assert office.doors_view() == office.tables_view()
    assert publisher.current() == (head, office.tables_view())


def test_snapshot_that_somebody_else_took_meanwhile_is_left_alone(own: Offices) -> None:
    """The newer one stays."""
    office = Office(own)
    office.people("a", "b")

    def overtake() -> None:
        office.people("c")
        Publisher(office.lists, office.key).compact()

    head = Publisher(Overtaken(office.lists, overtake, 1), office.key).compact()
    assert (head.version, head.snapshot_version) == (4, 4)
    assert office.head() == head
