"""Writes the generated blocks of the documentation: `python -m tests.rigs.docs`. A test keeps them equal to the code.

A block lies between `<!-- generated: NAME -->` and `<!-- end -->`; the rest of a page is written by hand.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from agent.doctor.examination import LINES
from agent.doctor.remedies import REMEDIES
from cloud.contract.reasons import Reason
from cloud.cost.report import as_markdown

ROOT: Final = Path(__file__).parents[2]

ADVICE: Final[Mapping[Reason, str]] = {
    Reason.ALLOWED: "Nothing.",
    Reason.EXIT: "Let them go. Look into `noted` later: somebody was inside who would not have been let in.",
    Reason.DOOR_UNLOCKED: "Nothing, if the door is meant to stand unlocked.",
    Reason.UNKNOWN_CARD: "Ask who they are. A new card may not have been published yet; a foreign card never will be.",
    Reason.REVOKED: "Do not let them in. Keep the card if you may, and tell the card office.",
    Reason.LOST: "Find out who holds it: its owner who found it again, or a finder. The card office can reinstate it.",
    Reason.STOLEN: "Do not let them in, do not hand the card back; call for help.",
    Reason.INACTIVE_CARD: "Send them to the card office: the card was never issued, or was suspended or returned.",
    Reason.CARD_UNREADABLE: "Ask them to hold the card still. If it stays, the card is damaged or not one of ours.",
    Reason.INACTIVE_PERSON: "Do not let them in on the card; ask their host or the personnel office.",
    Reason.NOT_YET_VALID: "Tell them when it begins: `cardea why` shows it. Early visitors wait for their host.",
    Reason.EXPIRED: "Send them to their host or the card office for an extension: `cardea why` shows of what.",
    Reason.NO_GROUP: "The person may be known and still have no business here. Ask whom they want to see.",
    Reason.OUTSIDE_SCHEDULE: "Tell them when it opens: `cardea why` shows it. Who must stay late needs another group.",
    Reason.HOLIDAY: "It is a holiday here: tell them when it opens again. Who must work then needs another group.",
    Reason.LOCKDOWN: "Keep everybody out until the lockdown is lifted. Whoever is inside can leave.",
    Reason.DOOR_DISABLED: "Show them another door. This one lets people out, but nobody in.",
    Reason.PASSBACK: "Ask whether they passed the card back, or left without tapping, behind somebody else.",
    Reason.NO_ALLOWLIST: "Call the installer: the door has never reached the site's list. Open by key if you must.",
    Reason.STALE_ALLOWLIST: "The door has lost touch with the site. Check the network; open by key if you must.",
    Reason.CLOCK_UNKNOWN: "The controller does not know the time since its start. It recovers with the network.",
    Reason.MODE: "Nothing: somebody changed the mode of the door.",
    Reason.FIRE: "Follow the fire plan. The door stays unlocked until the fire input is quiet and is reset by hand.",
    Reason.ROLLBACK: "Tell the administrator: somebody offered an old list, or the cloud was restored from a backup.",
    Reason.BAD_SIGNATURE: "Tell the administrator at once: the list was made by somebody else, or keys were changed.",
    Reason.BAD_HASH: "Tell the administrator at once: the list was changed or damaged on its way.",
    Reason.WRONG_SITE: "Tell the administrator at once: the door was pointed at another site's list.",
    Reason.SHRINK: "Tell the administrator: much of the list was removed. If it was meant, publish it as meant.",
    Reason.MALFORMED: "Tell the administrator: what the cloud published is no list.",
    Reason.UNKNOWN_VERSION: "Tell the administrator: the door needs an update to read this item.",
}
"""What a guard, or who is called by one, should do. Lies here because only the documentation needs it."""


def reasons() -> str:
    """The table of all reason codes."""
    rows = [f"| `{reason.value}` | {reason.text} | {ADVICE[reason]} |" for reason in Reason]
    return "\n".join(["| code | means | what to do |", "|---|---|---|", *rows])


def doctor_lines() -> str:
    """The table of all lines of the self-test."""
    rows = [f"| {line.area} | {line.name} | {_cell(line.meaning)} | {_cell(line.remedy)} |" for line in LINES]
    return "\n".join(["| area | line | looks at | what to do |", "|---|---|---|---|", *rows])


def degraded_reasons() -> str:
    """The table of all degraded reasons."""
    rows = [f"| `{reason}` | {_cell(remedy.means)} | {_cell(remedy.todo)} |" for reason, remedy in REMEDIES.items()]
    return "\n".join(["| reason | means | what to do |", "|---|---|---|", *rows])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


BLOCKS: Final[Mapping[str, Mapping[str, Callable[[], str]]]] = {
    "docs/cost.md": {"cost": as_markdown},
    "docs/decisions.md": {"reasons": reasons},
    "docs/doctor.md": {"lines": doctor_lines, "degraded": degraded_reasons},
}
"""Generated blocks by page and name."""


def with_block(page: str, name: str, content: str) -> str:
    """The page with the named block replaced; raises ValueError where the page has no such block."""
    before, opening, rest = page.partition(f"<!-- generated: {name} -->\n")
    _, closing, after = rest.partition("\n<!-- end -->")
    if not opening or not closing:
        raise ValueError(f"no block {name!r}")
    return f"{before}{opening}{content}{closing}{after}"


def generated(path: str) -> str:
    """The page as it should be, from what is there and what the code says."""
    page = (ROOT / path).read_text(encoding="utf-8")
    for name, content in BLOCKS[path].items():
        page = with_block(page, name, content())
    return page


def main() -> None:
    """Rewrite every page that has generated blocks."""
    for path in BLOCKS:
        (ROOT / path).write_text(generated(path), encoding="utf-8")


if __name__ == "__main__":
    main()
