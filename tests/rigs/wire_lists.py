"""One head, one delta and one snapshot of a site, with an item of every kind: good ones, to be damaged by tests."""

from typing import Final

from cloud.contract.allowlist import Change, Delta, Head, Snapshot, seal_snapshot, snapshot_name
from cloud.contract.canonical import sha256_hex
from tests.rigs.lists import AT, Raw, card, door, group, person
from tests.rigs.wire import KEY

ITEMS: Final[tuple[Raw, ...]] = (
    card(1, status="active", **{"from": "2026-01-01T00:00:00Z", "until": "2030-01-01T00:00:00Z"}),
    card(2, status="lost"),
    person(1, "staff", active=True, until="2030-01-01T00:00:00Z"),
    {**person(2, "staff"), "groups": ["staff", {"group": "night", "until": "2030-01-01T00:00:00Z"}]},
    group("staff", "front"),
    {"v": 1, "kind": "group", "id": "night", "grants": [{"door": "front", "schedule": "days"}]},
    {
        "v": 1,
        "kind": "schedule",
        "id": "days",
        "zone": "Europe/Berlin",
        "windows": [{"days": ["mon", "sun"], "from": "22:00", "to": "06:00"}],
        "holidays": "free",
    },
    {"v": 1, "kind": "holidays", "id": "free", "dates": ["2027-01-01"]},
    {**door("front"), "inside": "hq", "outside": "street"},
    {"v": 1, "kind": "area", "id": "hq", "anti_passback": "hard"},
)
SNAPSHOT: Final = Snapshot("hq", 1, 1, AT, False, list(ITEMS))
DELTA: Final = Delta(
    "hq", 1, 2, 1, AT, False, (*(Change(raw["kind"], raw["id"], raw) for raw in ITEMS), Change("person", "p-9", None))
)
HEAD: Final = Head(
    site="hq",
    epoch=1,
    version=2,
    snapshot_version=1,
    snapshot_key=snapshot_name("hq", 1, 1),
    snapshot_sha256=sha256_hex(seal_snapshot(SNAPSHOT, KEY)),
    oldest_delta=2,
    at=AT,
)
