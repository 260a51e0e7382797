"""A site's keys as files."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from cloud.adapters.keys import ensure_site_keys, write_door_keys
from cloud.contract.signing import sign, verify
from cloud.errors import CloudError


def test_keys_are_made_once_and_are_private(tmp_path: Path) -> None:
    """A second call gives the same keys; only their owner can read the secret ones."""
    first = ensure_site_keys(tmp_path / "keys")
    second = ensure_site_keys(tmp_path / "keys")
    assert first.sign.private_bytes_raw() == second.sign.private_bytes_raw()
    assert first.card_hash == second.card_hash
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()}
    assert modes == {"list-sign.key": 0o600, "card-hash.key": 0o600, "list-verify.pub": 0o644}


def test_verify_key_checks_what_the_sign_key_signed(tmp_path: Path) -> None:
    """What a door gets fits what the publisher has, and the door does not get the key that signs."""
    keys = ensure_site_keys(tmp_path / "keys")
    write_door_keys(keys, tmp_path / "door")
    assert sorted(path.name for path in (tmp_path / "door").iterdir()) == ["card-hash.key", "list-verify.pub"]
    public = bytes.fromhex((tmp_path / "door" / "list-verify.pub").read_text())
    document = {"a": 1}
    verify({**document, "sig": sign(document, keys.sign)}, [Ed25519PublicKey.from_public_bytes(public)])


def test_keys_are_not_shown(tmp_path: Path) -> None:
    """Printing the keys prints no key."""
    keys = ensure_site_keys(tmp_path)
    assert keys.card_hash.hex() not in repr(keys)
    assert "sign" not in repr(keys)


def test_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """A secret that lies open is no secret any more."""
    ensure_site_keys(tmp_path)
    (tmp_path / "list-sign.key").chmod(0o640)
    with pytest.raises(CloudError, match=r"list-sign\.key.*chmod 600"):
        ensure_site_keys(tmp_path)


def test_broken_key_is_refused_without_showing_it(tmp_path: Path) -> None:
    """A cut-off key is named by its file, and not replaced: doors know the old one."""
    ensure_site_keys(tmp_path)
    path = tmp_path / "card-hash.key"
    cut = path.read_text()[:40]
    path.write_text(cut)
    with pytest.raises(CloudError, match="64 hex digits") as caught:
        ensure_site_keys(tmp_path)
    assert cut not in str(caught.value)
    assert path.read_text() == cut


def test_verify_key_of_another_pair_is_refused(tmp_path: Path) -> None:
    """Doors would refuse every list."""
    ensure_site_keys(tmp_path / "a")
    ensure_site_keys(tmp_path / "b")
    (tmp_path / "a" / "list-verify.pub").write_text((tmp_path / "b" / "list-verify.pub").read_text())
    with pytest.raises(CloudError, match="does not belong"):
        ensure_site_keys(tmp_path / "a")
