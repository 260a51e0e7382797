"""Where a person is, whatever order the facts come in."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cloud.domain.presence import TRAIL, Fact, FactKind, issued_fact, merged

_facts = st.builds(
    Fact,
    at=st.integers(0, 40).map(lambda second: f"2026-03-01T08:00:{second:02d}.000Z"),
    device=st.sampled_from(["lobby", "yard"]),
    epoch=st.integers(1, 2),
    seq=st.integers(1, 30),
    kind=st.sampled_from([FactKind.GRANTED.value, FactKind.NOT_TAKEN.value]),
    door=st.sampled_from(["north", "south"]),
    direction=st.sampled_from(["in", "out"]),
    area=st.sampled_from(["", "hall"]),
    building=st.sampled_from(["", "hq", "lab"]),
)
LAPSED = FactKind.NOT_TAKEN.value
_many = st.lists(_facts, max_size=40)


def fact(seq: int, kind: str = "granted", *, second: int | None = None, building: str = "hq", way: str = "in") -> Fact:
    at = f"2026-03-01T08:00:{seq if second is None else second:02d}.000Z"
    return Fact(at, "lobby", 1, seq, kind, door="north", direction=way, area="hall", building=building)


def where(*facts: Fact, item: dict[str, Any] | None = None) -> dict[str, Any]:
    return merged("hq", "ada", item, facts)


def told(item: dict[str, Any]) -> dict[str, Any]:
    """What follows from the trail alone; that is not the case where nothing in it moved the person."""
    trail_only = where(item={"trail": item["trail"]})
    return trail_only if "at" not in trail_only else {name: item[name] for name in item if name != "stood"}


@given(_many, st.randoms(use_true_random=False))
def test_presence_does_not_depend_on_the_order_of_arrival(facts: list[Fact], random: Any) -> None:
    """Merged one by one in any order, with repetitions, facts give what they give all at once."""
    arriving = facts + facts[::2]
    random.shuffle(arriving)
    item: dict[str, Any] | None = None
    for arrived in arriving:
        item = where(arrived, item=item)
    assert told(item or where()) == told(where(*facts))


@given(_many, _many, _many)
def test_merging_is_associative(one: list[Fact], two: list[Fact], three: list[Fact]) -> None:
    """However a history is split into records, it gives the same presence."""
    in_steps, at_once = where(*three, item=where(*two, item=where(*one))), where(*two, *three, item=where(*one))
    assert told(in_steps) == told(at_once)


@given(_many, _many)
def test_merging_again_changes_nothing(one: Sequence[Fact], two: Sequence[Fact]) -> None:
    """A record that is delivered again leaves the item as it is."""
    item = where(*two, item=where(*one))
    assert where(*one, item=item) == item
    assert where(*two, item=item) == item


@given(_many)
def test_trail_stays_bounded(facts: list[Fact]) -> None:
    """No history makes the item grow without end."""
    assert len(where(*facts)["trail"]) <= TRAIL


def test_grant_moves_the_person_into_the_building() -> None:
    """Who was let in is inside, and found by the building."""
    item = where(fact(1))
    assert (item["building"], item["area"], item["door"], item["at"]) == (
        "hq", "hall", "north", "2026-03-01T08:00:01.000Z",
    )  # fmt: skip
    assert (item["g1pk"], item["g1sk"]) == ("INSIDE#hq#hq", "ada")


def test_leaving_takes_the_person_out_of_the_occupancy() -> None:
    """Who left is in no building, and in no index of one."""
    item = where(fact(1), fact(2, building="", way="out"))
    assert not {"building", "g1pk", "g1sk"} & item.keys()
    assert item["at"] == "2026-03-01T08:00:02.000Z"


def test_late_event_does_not_overwrite_a_newer_presence() -> None:
    """An entry that arrives after the exit that followed it brings nobody back."""
    item = where(fact(1), item=where(fact(2, building="", way="out")))
    assert "building" not in item


def test_grant_that_was_not_taken_moves_nobody() -> None:
    """Who did not go through is where they were before."""
    item = where(fact(3, "not_taken", building="", way="out"), fact(2, building="", way="out"), fact(1))
    assert (item["building"], item["at"]) == ("hq", "2026-03-01T08:00:01.000Z")


def test_word_of_a_grant_not_taken_may_come_first() -> None:
    """The grant that it undoes has no effect when it comes at last."""
    item = where(fact(2), item=where(fact(3, "not_taken")))
    assert "building" not in item


def test_each_word_undoes_one_grant() -> None:
    """Two grants and one that was not taken: the person went through once."""
    assert where(fact(1), fact(2), fact(3, "not_taken"))["at"] == "2026-03-01T08:00:01.000Z"


def test_grant_at_another_door_is_not_undone() -> None:
    """What was not taken was this way through this door."""
    assert where(fact(1), fact(2, "not_taken", way="out"))["building"] == "hq"


def test_clock_that_was_set_back_does_not_part_grant_and_word() -> None:
    """Between events of one device its own order counts, not its clock."""
    assert "building" not in where(fact(1, second=30), fact(2, "not_taken", second=10))


def test_issue_with_building_puts_the_person_inside() -> None:
    """Who is handed a card in a building counts as inside it until a door says otherwise."""
    issued = issued_fact("hq", "2026-03-01T08:00:00.000Z", "R1")
    assert where(issued)["building"] == "hq"
    assert "building" not in where(issued, fact(1, building="", way="out"))


def test_issue_before_a_known_exit_moves_nobody() -> None:
    """An old request that is carried out late does not bring back who left since."""
    late = issued_fact("hq", "2026-03-01T07:00:00.000Z", "R1")
    assert "building" not in where(late, item=where(fact(1, building="", way="out")))


@given(
    taps=st.lists(st.tuples(st.sampled_from(["lobby", "yard", "gate"]), st.booleans(), st.booleans()), max_size=40),
    replays=st.lists(st.integers(1, 10), max_size=5),
    random=st.randoms(use_true_random=False),
)
def test_no_number_of_unused_grants_hides_where_a_person_is(
    taps: list[tuple[str, bool, bool]], replays: list[int], random: Any
) -> None:
    """Each device tells in order, a batch at a time, and some of it again: the newest grant that was used counts.

    A grant and the word that it was not used are up to ten facts of other devices apart.
    """
    arriving: list[Fact] = []
    used: Fact | None = None
    for number, (device, inwards, taken) in enumerate(taps):
        minute = f"2026-03-01T08:{number:02d}"
        building, way = ("hq", "in") if inwards else ("", "out")
        grant = Fact(f"{minute}:00.000Z", device, 1, 2 * number, "granted", "north", way, building=building)
        used = grant if taken else used
        arriving += [
            grant,
            *([] if taken else [replace(grant, at=f"{minute}:05.000Z", seq=grant.seq + 1, kind=LAPSED)]),
        ]
    arriving = delayed(arriving, random)
    for replayed in replays:
        end = random.randint(0, len(arriving))
        arriving[end:end] = arriving[max(end - replayed, 0) : end]
    item: dict[str, Any] = where()
    for arrived in arriving:
        item = where(arrived, item=item)
    assert item.get("at") == (used.at if used else None)
    assert ("g1pk" in item) is (used is not None and used.building == "hq")
    assert where(*arriving, item=item) == item


def delayed(facts: list[Fact], random: Any) -> list[Fact]:
    """The same facts, those of one device five late."""
    late = random.choice(["lobby", "yard", "gate"])
    return [facts[place] for place in sorted(range(len(facts)), key=lambda p: p + 5 * (facts[p].device == late))]


@given(st.integers(1, 100), st.booleans())
def test_who_is_inside_stays_there_however_often_a_grant_is_not_used(pairs: int, one_by_one: bool) -> None:
    """Whether the words come one by one or all at once, and through the door by which the person came in too."""
    lapsed = [
        Fact("2026-03-01T09", "lobby", 1, 10 + seq, ("granted", LAPSED)[seq % 2], "north", "in")
        for seq in range(2 * pairs)
    ]
    facts = [fact(1), *lapsed]
    item = where()
    for some in [[each] for each in facts] if one_by_one else [facts]:
        item = where(*some, item=item)
    assert (item["building"], item["g1pk"], item["at"]) == ("hq", "INSIDE#hq#hq", "2026-03-01T08:00:01.000Z")
    assert len(item["trail"]) <= TRAIL
