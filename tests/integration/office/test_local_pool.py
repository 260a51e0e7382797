"""Signing in at the user pool of the local AWS, which speaks the provider's protocol but believes any proof."""

from contextlib import closing
from dataclasses import replace

import boto3
import jwt
import pytest

from agent.office.errors import NotSignedIn
from agent.office.profile import Profile
from agent.office.signin import Provider
from cloud.local.server import LocalAws
from tests.integration.office.test_login import NEW_PASSWORD, NOW_S, Answers

pytestmark = pytest.mark.system


def test_a_first_sign_in_a_renewal_and_a_sign_out(local_aws: LocalAws) -> None:
    """With an account as an administrator makes it; what comes is an access token of its user and client."""
    given = local_aws.environment()
    session = boto3.Session(given["AWS_ACCESS_KEY_ID"], given["AWS_SECRET_ACCESS_KEY"], region_name=given["AWS_REGION"])
    with closing(session.client("cognito-idp", endpoint_url=local_aws.endpoint)) as admin:
        pool_id = admin.create_user_pool(PoolName="staff")["UserPool"]["Id"]
        made = admin.create_user_pool_client(
            UserPoolId=pool_id, ClientName="cli", ExplicitAuthFlows=["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
        )
        client_id = made["UserPoolClient"]["ClientId"]
        admin.create_group(UserPoolId=pool_id, GroupName="operator")
        admin.admin_create_user(UserPoolId=pool_id, Username="ada", TemporaryPassword="First-password-1")
        admin.admin_add_user_to_group(UserPoolId=pool_id, Username="ada", GroupName="operator")
    profile = Profile(pool_id=pool_id, client_id=client_id, region=given["AWS_REGION"], endpoint_url=local_aws.endpoint)
    with closing(Provider(profile, lambda: NOW_S)) as provider:
        tokens = provider.sign_in("ada", "First-password-1", Answers(password=f"{NEW_PASSWORD}-A1"))
        claims = jwt.decode(tokens.access, options={"verify_signature": False})
        assert (claims["token_use"], claims["client_id"], claims["cognito:groups"]) == (
            "access",
            client_id,
            ["operator"],
        )
        renewed = provider.renew(tokens)
        assert renewed.access != ""
        assert renewed.refresh == tokens.refresh
        with pytest.raises(NotSignedIn):
            provider.renew(replace(tokens, refresh="another"))
        provider.sign_out(tokens)
        with pytest.raises(NotSignedIn):
            provider.renew(tokens)
