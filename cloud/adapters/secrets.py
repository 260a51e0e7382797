"""The secrets of sites, read when they are needed and kept for a short while. Must never log or show one.

Kept, because a function's every call would else pay for reading them; for a short while, because keys rotate.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.adapters.aws import AwsError, aws_errors
from cloud.errors import CloudError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

KEPT_S: Final = 300.0
"""A key that was rotated is in use everywhere after this long."""
KEPT_SECRETS: Final = 64
"""Those that were used last; a function rarely works for more sites than that in five minutes."""
_KEY_BYTES: Final = 32
_CURRENT: Final = "AWSCURRENT"
_PREVIOUS: Final = "AWSPREVIOUS"


class SiteSecrets:
    """Keys of the sites of one environment.

    All methods raise AwsError when the service does not answer or has no such secret, and CloudError when what it has
    is no key.

    Args:
        environment: Its name.
        client: Of the account.
        clock: Seconds that only go forward.
    """

    def __init__(
        self, environment: str, client: "SecretsManagerClient", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._environment = environment
        self._client = client
        self._clock = clock
        self._kept: OrderedDict[tuple[str, str], tuple[float, bytes]] = OrderedDict()

    def list_key(self, site: str) -> Ed25519PrivateKey:
        """What a site's lists are signed with."""
        return Ed25519PrivateKey.from_private_bytes(self._key(site_secret(self._environment, site, "list-sign")))

    def former_list_keys(self, site: str) -> list[Ed25519PrivateKey]:
        """What they were signed with before the key was rotated; none if it never was."""
        try:
            key = self._key(site_secret(self._environment, site, "list-sign"), _PREVIOUS)
        except AwsError as error:
            if error.code == "ResourceNotFoundException":
                return []
            raise
        return [Ed25519PrivateKey.from_private_bytes(key)]

    def card_hash_key(self, site: str) -> bytes:
        """What a site's cards are hashed with. It never rotates: every card's id would change."""
        return self._key(site_secret(self._environment, site, "card-hash"))

    def cursor_key(self) -> bytes:
        """What the environment's API signs the cursors of its lists with."""
        return self._key(cursor_secret(self._environment))

    def _key(self, name: str, stage: str = _CURRENT) -> bytes:
        now = self._clock()
        kept = self._kept.get((name, stage))
        if kept is not None and now < kept[0]:
            self._kept.move_to_end((name, stage))
            return kept[1]
        with aws_errors():
            text = self._client.get_secret_value(SecretId=name, VersionStage=stage).get("SecretString", "")
        key = _parsed(text, name)
        self._kept[name, stage] = (now + KEPT_S, key)
        self._kept.move_to_end((name, stage))
        while len(self._kept) > KEPT_SECRETS:
            self._kept.popitem(last=False)
        return key


def site_secret(environment: str, site: str, what: str) -> str:
    """Name of a secret of a site: `list-sign` or `card-hash`."""
    return f"cardea/{environment}/site/{site}/{what}"


def cursor_secret(environment: str) -> str:
    """Name of the secret that the API signs its cursors with."""
    return f"cardea/{environment}/api/cursor"


def _parsed(text: str, name: str) -> bytes:
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        # The content is not shown: it may be most of a key.
        raise CloudError(f"secret {name}: is not {2 * _KEY_BYTES} hex digits")
    return key
