"""Secrets of sites: kept for a while, a bounded number of them."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloud.adapters.aws import AwsError
from cloud.adapters.secrets import KEPT_S, KEPT_SECRETS, SiteSecrets
from cloud.errors import CloudError


class FakeSecrets:
    """The service, with one version of each secret; counts how often it is asked."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.asked = 0

    def get_secret_value(self, SecretId: str, VersionStage: str) -> dict[str, str]:  # noqa: N803
        self.asked += 1
        if VersionStage != "AWSCURRENT" or SecretId not in self.texts:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "none"}}, "GetSecretValue")
        return {"SecretString": self.texts[SecretId]}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def service() -> FakeSecrets:
    return FakeSecrets()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def secrets(service: FakeSecrets, clock: Clock) -> SiteSecrets:
    client: Any = service
    return SiteSecrets("dev", client, clock)


def test_secret_is_read_once_and_again_after_a_while(service: FakeSecrets, secrets: SiteSecrets, clock: Clock) -> None:
    """So that a key that was rotated comes into use."""
    service.texts["cardea/dev/site/hq/card-hash"] = "11" * 32
    assert [secrets.card_hash_key("hq") for _ in range(3)] == [b"\x11" * 32] * 3
    service.texts["cardea/dev/site/hq/card-hash"] = "22" * 32
    clock.now = KEPT_S - 1
    assert secrets.card_hash_key("hq") == b"\x11" * 32
    clock.now = KEPT_S
    assert secrets.card_hash_key("hq") == b"\x22" * 32
    assert service.asked == 2


def test_secrets_that_are_kept_are_bounded(service: FakeSecrets, secrets: SiteSecrets) -> None:
    """Those that were used last stay."""
    for number in range(KEPT_SECRETS + 1):
        service.texts[f"cardea/dev/site/s{number}/card-hash"] = f"{number:02x}" * 32
        secrets.card_hash_key(f"s{number}")
    service.asked = 0
    secrets.card_hash_key(f"s{KEPT_SECRETS}")
    assert service.asked == 0
    secrets.card_hash_key("s0")
    assert service.asked == 1


def test_key_that_was_never_rotated_has_none_before_it(service: FakeSecrets, secrets: SiteSecrets) -> None:
    """That is no error; a missing key is one."""
    service.texts["cardea/dev/site/hq/list-sign"] = "33" * 32
    assert secrets.list_key("hq").private_bytes_raw() == b"\x33" * 32
    assert secrets.former_list_keys("hq") == []
    with pytest.raises(AwsError) as caught:
        secrets.list_key("other")
    assert caught.value.code == "ResourceNotFoundException"


@pytest.mark.parametrize("text", ["", "zz" * 32, "11" * 31, "11" * 33])
def test_what_is_no_key_is_refused_and_not_shown(service: FakeSecrets, secrets: SiteSecrets, text: str) -> None:
    """It may be most of one."""
    service.texts["cardea/dev/site/hq/card-hash"] = text
    with pytest.raises(CloudError) as caught:
        secrets.card_hash_key("hq")
    assert not text or text not in str(caught.value)
