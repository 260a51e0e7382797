"""What each site of an environment needs before its first door: secrets, an empty signed list, and its entry.

All of it is made once. Must never replace or show a secret: with another card-hash key no card would be known any
more, and with another signing key no door would take a list.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.adapters.aws import AwsAccess
from cloud.adapters.keys import SiteKeys
from cloud.adapters.list_store import ListStore
from cloud.adapters.new_items import NewItems
from cloud.adapters.publisher import Publisher
from cloud.adapters.secrets import site_secret
from cloud.deploy.plan import SitePlan
from cloud.deploy.secret_keys import ensure_secret_key
from cloud.domain import keys

LIST_SIGN: Final = "list-sign"
CARD_HASH: Final = "card-hash"


@dataclass(frozen=True, slots=True)
class FirstList:
    """What a site's list begins with; nothing unless told otherwise."""

    items: Iterable[Mapping[str, Any]] = ()
    clock: Callable[[], float] | None = None
    """Unix seconds; the first epoch. None: this machine's."""


def ensure_site(
    access: AwsAccess,
    environment: str,
    site: SitePlan,
    outputs: Mapping[str, str],
    given: SiteKeys | None = None,
    first: FirstList | None = None,
) -> None:
    """Make what is missing of a site. Raises DeployError when a given key is not the one that is there, AwsError.

    Args:
        access: The account.
        environment: Name of the environment.
        site: The site.
        outputs: Of the root stack.
        given: Keys to be used instead of new ones.
        first: Of its list, if there is none yet.
    """
    first = first or FirstList()
    client = access.secretsmanager()
    given_sign = given.sign.private_bytes_raw() if given else None
    given_hash = given.card_hash if given else None
    sign = ensure_secret_key(client, site_secret(environment, site.id, LIST_SIGN), outputs["KeyArn"], given_sign)
    ensure_secret_key(client, site_secret(environment, site.id, CARD_HASH), outputs["KeyArn"], given_hash)
    store = ListStore(site.id, outputs["TableName"], outputs["BucketName"], access.dynamodb(), access.s3())
    if store.head() is None:
        key = Ed25519PrivateKey.from_private_bytes(sign)
        publisher = Publisher(store, key, clock=first.clock) if first.clock else Publisher(store, key)
        publisher.publish(first.items)
    # One that is there is the staff's by now.
    fields = {"g2pk": keys.SITES, "g2sk": site.id, "site": site.id, "name": site.name, "zone": site.zone}
    NewItems(outputs["TableName"], access.dynamodb()).put(keys.site(site.id), fields)
