"""The keys of one controller, and which are missing. Without the site's a door starts all the same: REX must work."""

from dataclasses import dataclass, field

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from agent.config import Config
from agent.errors import StorageError
from agent.storage.keys import load_or_make_device_key, load_public_key, load_secret, random_secret
from cloud.contract.signing import credential_hash

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Keyring:
    """What the agent signs, hashes and verifies with; never printed."""

    device: Ed25519PrivateKey = field(repr=False)
    lists: tuple[Ed25519PublicKey, ...]
    """Whose lists are trusted; empty: nobody's, so no list is taken."""
    troubles: tuple[str, ...]
    """Degraded reasons."""
    card: bytes = field(repr=False)

    def credential(self, uid: bytes) -> str:
        """The keyed hash that stands for a card."""
        return credential_hash(self.card, uid)


def load_keyring(config: Config) -> Keyring:
    """Read the keys; raises StorageError only when the device's own key is there and can't be used."""
    troubles = []
    try:
        card = load_secret(config.path(config.device.card_hash_key))
    except StorageError as error:
        log.error("keys.card_hash_missing", error=str(error), effect="every entry is denied")
        troubles.append("no_card_hash_key")
        card = random_secret()
    lists = []
    for path in config.allowlist.verify_keys:
        try:
            lists.append(load_public_key(config.path(path)))
        except StorageError as error:
            log.error("keys.list_verify_missing", error=str(error))
    if not lists:
        troubles.append("no_list_verify_key")
    device = load_or_make_device_key(config.device.state_dir / "device.key")
    return Keyring(device, tuple(lists), tuple(troubles), card)
