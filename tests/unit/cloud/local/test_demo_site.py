"""The demo site: the file in `config/`, and what its reader refuses."""

from pathlib import Path

import pytest

from cloud.contract.canonical import canonical_bytes
from cloud.contract.signing import credential_hash
from cloud.errors import CloudError
from cloud.local.demo_site import DEMO_SITE, load_demo_site

KEY = bytes(32)


def test_demo_site_holds_people_cards_and_doors() -> None:
    """The shipped file is sound and as large as the documentation says."""
    site = load_demo_site(DEMO_SITE, KEY)
    counts = {kind: sum(item == kind for item, _ in site.items) for kind, _ in site.items}
    assert site.site == "hq"
    assert counts == {"area": 2, "door": 3, "holidays": 1, "schedule": 2, "group": 3, "person": 12, "card": 15}
    assert {item["status"] for item in site.items.values() if "status" in item} == {"lost", "stolen", "revoked"}


def test_demo_site_publishes_hashes_only() -> None:
    """No UID and no card name is in what goes to the cloud."""
    site = load_demo_site(DEMO_SITE, KEY)
    published = b"".join(canonical_bytes(item) for item in site.items.values()).lower()
    for uid in site.cards.values():
        assert uid.hex().encode() not in published
        assert ("card", credential_hash(KEY, uid)) in site.items
        assert repr(uid) not in repr(site)


def test_alice_opens_every_door_at_any_hour() -> None:
    """Whenever somebody tries the demo, one card works: no validity bounds, and grants without a schedule."""
    site = load_demo_site(DEMO_SITE, KEY)
    card = site.items["card", credential_hash(KEY, site.cards["alice"])]
    assert card.keys() == {"v", "kind", "id", "person"}
    alice = site.items["person", "alice"]
    assert alice.keys() == {"v", "kind", "id", "groups"}
    always = {
        grant["door"]
        for group in alice["groups"]
        for grant in site.items["group", group]["grants"]
        if "schedule" not in grant
    }
    assert always == {"hq-turnstile", "hq-office", "hq-lab"}


SITE = "site = {id = 'hq', zone = 'Europe/Berlin'}\n"
PERSON = SITE + "[[person]]\nid = 'a'\n"
X = "{name = 'x', uid = '01020304'}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[site", "table declaration"),
        ("[[person]]\nid = 'a'", r"\[site\]"),
        (SITE + "[[persn]]\nid = 'a'", "unknown table 'persn'"),
        (SITE + "[person]\nid = 'a'", "not an array"),
        (PERSON + "group = 'b'", "unknown field 'group'"),
        (PERSON + "groups = ['b']", "names group 'b'"),
        (PERSON + "groups = [{group = 'b'}]", "names group 'b'"),
        (SITE + "[[schedule]]\nid = 's'\nholidays = 'h'", "names holidays 'h'"),
        (SITE + "[[holidays]]\nid = 'h'\ndates = ['1 May']", "not a date"),
        (SITE + "[[holidays]]\nid = 'h'\ndates = [2027-01-01]", "not a date"),
        (PERSON + "cards = [{name = 'x'}]", "card 'x': uid"),
        (PERSON + "cards = [{name = 'x', uid = '0102030'}]", "card 'x': uid"),
        (PERSON + f"cards = [{X}, {X.replace('x', 'y')}]", "card 'y'.*twice"),
        (PERSON + f"cards = [{X}, {X.replace('03', '05')}]", "card 'x'.*twice"),
        (PERSON + "cards = [{name = 'x', uid = '01020304', state = 'lost'}]", "state"),
        (SITE.replace("Europe/Berlin", "Mars/Base") + "[[schedule]]\nid = 's'", "Mars/Base"),
    ],
)
def test_mistake_in_a_site_is_told_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    """The error names the file and what is wrong in it."""
    path = tmp_path / "site.toml"
    path.write_text(text)
    with pytest.raises(CloudError, match=problem) as caught:
        load_demo_site(path, KEY)
    assert str(path) in str(caught.value)
    assert "01020304" not in str(caught.value)


def test_missing_site_file_is_told(tmp_path: Path) -> None:
    """A wrong path is an error of ours, not a traceback."""
    with pytest.raises(CloudError, match="absent"):
        load_demo_site(tmp_path / "absent.toml", KEY)
