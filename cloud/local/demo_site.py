"""Reads a demo site: people with their cards by UID. What it returns holds only keyed hashes of the cards."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cloud.contract.errors import ContractError
from cloud.contract.itemcodec import ITEM_VERSION
from cloud.contract.items import Kind
from cloud.contract.signing import credential_hash
from cloud.domain.lists import ItemKey, Items, dangling, index
from cloud.errors import CloudError

DEMO_SITE: Final = Path(__file__).resolve().parents[2] / "config" / "demo-site.toml"
_TABLES: Final = (Kind.AREA, Kind.DOOR, Kind.HOLIDAYS, Kind.SCHEDULE, Kind.GROUP, Kind.PERSON)
_BUILDING: Final = "building"
_UID: Final = re.compile(r"([0-9A-F]{2}){4,16}")
_CARD_KEYS: Final = frozenset({"name", "uid", "status", "from", "until"})


@dataclass(frozen=True, slots=True)
class DemoSite:
    """One site, ready to be published."""

    site: str
    zone: str
    items: Items
    cards: Mapping[str, bytes] = field(repr=False)
    """The UID of each card by its name; what an emulated reader presents."""
    buildings: Mapping[str, str] = field(default_factory=dict)
    """Their names by their ids. Doors do not know of buildings."""
    lies_in: Mapping[ItemKey, str] = field(default_factory=dict)
    """The building of an area or door, where it has one."""


def load_demo_site(path: Path, card_hash_key: bytes) -> DemoSite:
    """Read a site's file; raises CloudError that names the file and the first thing that is wrong."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CloudError(f"{path}: {error}") from error
    try:
        return _read(document, card_hash_key)
    except ContractError as error:
        raise CloudError(f"{path}: {error}") from error


def _read(document: Mapping[str, Any], card_hash_key: bytes) -> DemoSite:
    unknown = sorted(set(document) - {"site", _BUILDING, *_TABLES})
    if unknown:
        raise ContractError(f"unknown table {unknown[0]!r}")
    site = document.get("site")
    if not isinstance(site, dict) or set(site) != {"id", "zone"} or not isinstance(site["id"], str):
        raise ContractError("[site] does not hold id and zone, and nothing else")
    buildings = _buildings(document)
    items: list[Mapping[str, Any]] = []
    cards: dict[str, bytes] = {}
    lies_in: dict[ItemKey, str] = {}
    for kind in _TABLES:
        for table in _tables(document, kind):
            fields = dict(table)
            if kind in (Kind.AREA, Kind.DOOR) and (building := fields.pop(_BUILDING, None)) is not None:
                if building not in buildings:
                    raise ContractError(f"{kind} {fields.get('id')!r}: there is no building {building!r}")
                lies_in[kind.value, str(fields.get("id"))] = building
            for name, uid, card in _cards(fields.pop("cards", []) if kind is Kind.PERSON else [], fields):
                if name in cards or uid in cards.values():
                    raise ContractError(f"card {name!r}: its name or UID is there twice")
                cards[name] = uid
                items.append({**card, "id": credential_hash(card_hash_key, uid)})
            if kind is Kind.SCHEDULE:
                fields.setdefault("zone", site["zone"])
            items.append({"v": ITEM_VERSION, "kind": kind.value, **fields})
    listed = index(items)
    problems = dangling(listed)
    if problems:
        raise ContractError(problems[0])
    return DemoSite(site["id"], site["zone"], listed, cards, buildings, lies_in)


def _buildings(document: Mapping[str, Any]) -> dict[str, str]:
    buildings: dict[str, str] = {}
    for table in _tables(document, _BUILDING):
        if set(table) != {"id", "name"} or not all(isinstance(value, str) for value in table.values()):
            raise ContractError("[[building]] does not hold id and name, and nothing else")
        buildings[table["id"]] = table["name"]
    return buildings


def _tables(document: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    tables = document.get(kind, [])
    if not isinstance(tables, list) or any(not isinstance(table, dict) for table in tables):
        raise ContractError(f"[[{kind}]] is not an array of tables")
    return tables


def _cards(cards: Any, person: Mapping[str, Any]) -> Iterator[tuple[str, bytes, dict[str, Any]]]:
    """Name, UID and item (its id is yet to come) of each card of a person."""
    if not isinstance(cards, list) or any(not isinstance(card, dict) for card in cards):
        raise ContractError(f"person {person.get('id')!r}: cards is not a list of tables")
    for card in cards:
        name, uid = card.get("name"), card.get("uid")
        unknown = sorted(set(card) - _CARD_KEYS)
        if not isinstance(name, str) or unknown:
            raise ContractError(f"person {person.get('id')!r}: a card has no name, or a field too many: {unknown}")
        if not isinstance(uid, str) or not _UID.fullmatch(uid):
            raise ContractError(f"card {name!r}: uid is not 4 to 16 bytes in upper-case hex")
        rest = {key: value for key, value in card.items() if key not in ("name", "uid")}
        yield name, bytes.fromhex(uid), {"v": ITEM_VERSION, "kind": "card", "person": person.get("id"), **rest}
