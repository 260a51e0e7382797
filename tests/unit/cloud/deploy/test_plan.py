"""Which stacks an environment is made of."""

import re

from cloud.deploy.plan import SitePlan, local_environment


def test_stack_of_every_site_has_a_name_that_cloudformation_takes_and_no_other_site_has() -> None:
    """An id may have an underscore, which the name of a stack may not."""
    sites = ("hq", "hq-2", "hq_2", "hq__2", "HQ_2", "a" * 64)
    names = [plan.name for plan in local_environment(*(SitePlan(site, site) for site in sites)).devices()]
    assert all(re.fullmatch("[A-Za-z][A-Za-z0-9-]{0,127}", name) for name in names)
    assert len({name.lower() for name in names}) == len(sites)
    assert names[:2] == ["cardea-dev-device-hq", "cardea-dev-device-hq-2"]
