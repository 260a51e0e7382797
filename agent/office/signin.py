"""Signing in at the identity provider: the password never leaves this machine, only a proof that it is known (SRP).

What the provider asks next (another password, the code of an authenticator, setting one up) is put to `Prompts`. Tokens
are taken as they come: the API's gateway is who checks them. Must never print a password or a token.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from agent.errors import ConfigError, Problem
from agent.office.errors import NotSignedIn, OfficeError, ServiceUnreachable
from agent.office.profile import Profile
from agent.office.tokens import Tokens
from agent.printable import one_line

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient

_MOST_CHALLENGES: Final = 8
"""Password, another password, setting up an authenticator and its code are four."""
_CONNECT_S: Final = 5
_READ_S: Final = 20

Answer = Mapping[str, Any]


class Prompts(Protocol):
    """Asks whoever signs in."""

    def new_password(self) -> str:
        """The password to use from now on."""

    def code(self) -> str:
        """Six digits that their authenticator shows."""

    def show_secret(self, secret: str, user: str) -> None:
        """Show the secret that their authenticator must learn."""


class Provider:
    """The identity provider of a profile."""

    def __init__(self, profile: Profile, now_s: Callable[[], float]) -> None:
        """Raises ConfigError when the profile does not say which pool and client are meant."""
        missing = [name for name in ("pool_id", "client_id", "region") if getattr(profile, name) is None]
        if missing or profile.pool_id is None or profile.client_id is None:
            problems = [Problem(name, "is missing: `cardea cloud status` shows it") for name in missing]
            raise ConfigError("profile", problems)
        self._pool_id = profile.pool_id
        self._client_id = profile.client_id
        self._now_s = now_s
        config = Config(
            signature_version=UNSIGNED,  # who signs in has no AWS credentials
            connect_timeout=_CONNECT_S,
            read_timeout=_READ_S,
            retries={"total_max_attempts": 2},
        )
        self._client: CognitoIdentityProviderClient = boto3.client(
            "cognito-idp", region_name=profile.region, endpoint_url=profile.endpoint_url, config=config
        )

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def sign_in(self, user: str, password: str, prompts: Prompts) -> Tokens:
        """The tokens of a user; raises NotSignedIn, ServiceUnreachable."""
        from pycognito.aws_srp import AWSSRP

        proof = AWSSRP(user, password, self._pool_id, self._client_id, client=self._client)
        asked = proof.get_auth_params()
        with _told():
            answer: Answer = self._client.initiate_auth(
                AuthFlow="USER_SRP_AUTH", AuthParameters=asked, ClientId=self._client_id
            )
        name = user
        for _ in range(_MOST_CHALLENGES):
            if "AuthenticationResult" in answer:
                return self._tokens(name, answer["AuthenticationResult"], None)
            parameters = answer.get("ChallengeParameters", {})
            name = parameters.get("USERNAME") or parameters.get("USER_ID_FOR_SRP") or name
            if answer["ChallengeName"] == "PASSWORD_VERIFIER":
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", DeprecationWarning)  # the library's own, of Python 3.12 on
                    response = proof.process_challenge(parameters, asked)
                answer = self._respond(answer, response)
            else:
                answer = self._meet(answer, name, prompts)
        raise NotSignedIn("the identity provider asks without end")

    def renew(self, tokens: Tokens) -> Tokens:
        """New tokens for old ones; raises NotSignedIn when the refresh token is no longer taken."""
        with _told():
            answer = self._client.initiate_auth(
                AuthFlow="REFRESH_TOKEN_AUTH",
                AuthParameters={"REFRESH_TOKEN": tokens.refresh or ""},
                ClientId=self._client_id,
            )
        return self._tokens(tokens.user, answer.get("AuthenticationResult", {}), tokens.refresh)

    def sign_out(self, tokens: Tokens) -> None:
        """Make the refresh token worthless; raises NotSignedIn when it was already, ServiceUnreachable."""
        if tokens.refresh is not None:
            with _told():
                self._client.revoke_token(Token=tokens.refresh, ClientId=self._client_id)

    def _meet(self, answer: Answer, user: str, prompts: Prompts) -> Answer:
        """Answer one challenge after the password's."""
        match answer["ChallengeName"]:
            case "NEW_PASSWORD_REQUIRED":
                return self._respond(answer, {"USERNAME": user, "NEW_PASSWORD": prompts.new_password()})
            case "SOFTWARE_TOKEN_MFA":
                return self._respond(answer, {"USERNAME": user, "SOFTWARE_TOKEN_MFA_CODE": prompts.code()})
            case "MFA_SETUP":
                with _told():
                    secret = self._client.associate_software_token(Session=answer["Session"])
                    prompts.show_secret(secret["SecretCode"], user)
                    verified = self._client.verify_software_token(Session=secret["Session"], UserCode=prompts.code())
                return self._respond({**answer, "Session": verified["Session"]}, {"USERNAME": user})
            case other:
                raise NotSignedIn(f"the identity provider asks for {one_line(str(other))}, which is not known here")

    def _respond(self, answer: Answer, responses: Mapping[str, str]) -> Answer:
        session = {"Session": answer["Session"]} if answer.get("Session") else {}
        with _told():
            following: Answer = self._client.respond_to_auth_challenge(
                ClientId=self._client_id,
                ChallengeName=answer["ChallengeName"],
                ChallengeResponses=responses,
                **session,
            )
        return following

    def _tokens(self, user: str, result: Answer, refresh: str | None) -> Tokens:
        if not result.get("AccessToken"):
            raise NotSignedIn("the identity provider gave no token")
        return Tokens(
            user=user,
            client_id=self._client_id,
            access=result["AccessToken"],
            refresh=result.get("RefreshToken") or refresh,
            expires_at=self._now_s() + result.get("ExpiresIn", 0),
        )


@contextmanager
def _told() -> Iterator[None]:
    """The provider's errors in ours; its texts name no secret."""
    try:
        yield
    except ClientError as error:
        code, text = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
        if code in ("TooManyRequestsException", "InternalErrorException"):
            raise ServiceUnreachable(f"the identity provider is busy: {one_line(text)}") from error
        if code == "ResourceNotFoundException":
            raise OfficeError(f"the identity provider does not know this pool or client: {one_line(text)}") from error
        raise NotSignedIn(f"not signed in: {one_line(text or code)}") from error
    except BotoCoreError as error:
        raise ServiceUnreachable(f"the identity provider does not answer: {one_line(str(error))}") from error
