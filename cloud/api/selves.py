"""What callers may know of themselves: their roles, and the sites where they have any."""

from collections.abc import Mapping
from typing import Final

from cloud.api import answers, record_answers
from cloud.api.call import Call, Operation
from cloud.api.caller import sites_of
from cloud.contract.itemcodec import instant_text
from cloud.domain import keys
from cloud.domain.keys import LISTING_INDEX, SITES
from cloud.domain.outcome import Item
from cloud.domain.roles import EVERY_SITE, roles_at


def get_me(call: Call) -> answers.Answer:
    """Who is asking."""
    caller = call.caller
    grants = [
        record_answers.GrantHeld(
            site=grant.site,
            role=grant.role,
            valid_from=_text(grant.valid_from),
            valid_until=_text(grant.valid_until),
        )
        for grant in call.grants
    ]
    return record_answers.Me(subject=caller.subject, name=caller.name, groups=list(caller.groups), grants=grants)


def list_sites(call: Call) -> answers.Answer:
    """The sites where any role holds now."""
    held = sites_of(call.grants, call.caller.groups, call.now_s)
    if EVERY_SITE in held:
        items, following = call.page(LISTING_INDEX, SITES)
    else:
        found = call.backend.entities.get_many(keys.site(name) for name in sorted(held))
        items, following = [item for item in found.values() if item is not None], None
    return answers.Page[record_answers.Site](items=[_site(call, item) for item in items], next=following)


def _site(call: Call, item: Item) -> record_answers.Site:
    roles = roles_at(call.grants, call.caller.groups, item["site"], call.now_s)
    return record_answers.Site(**{**item, "roles": sorted(roles)})


def _text(seconds: int | None) -> str | None:
    return None if seconds is None else instant_text(seconds)


OPERATIONS: Final[Mapping[str, Operation]] = {"getMe": get_me, "listSites": list_sites}
