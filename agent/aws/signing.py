"""Makes botocore sign by the trusted time and tell by it whether credentials have expired.

botocore asks the system for the time in module functions of its own and has no setting for it, so these are replaced:
in its own signer and in that of awscrt, which it prefers where that is installed. tests/unit/agent/aws/test_signing.py
fails if a release of botocore moves them.
"""

import sys
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any, Final

from agent.aws.tls import connection_class
from agent.ports import CloudClock

_SIGNERS: Final = ("botocore.auth", "botocore.crt.auth")
"""The latter is loaded by the former where awscrt is installed."""


class TrustedTime:
    """While open, all of botocore in this process goes by `clock`: signatures, credentials, certificates."""

    def __init__(self, clock: CloudClock) -> None:
        self._clock = clock
        self._undo = ExitStack()
        self._opened = False

    def open(self) -> None:
        """Begin; loads botocore. Idempotent."""
        import botocore.auth
        import botocore.awsrequest
        import botocore.credentials
        from urllib3.exceptions import SystemTimeWarning

        if self._opened:
            return
        self._opened = True
        # "System time is way off ... will probably lead to SSL verification errors", with every connection: not here.
        warnings.filterwarnings("ignore", category=SystemTimeWarning)
        for name in _SIGNERS:
            if name in sys.modules:
                self._replace(sys.modules[name], "get_current_datetime", self._to_sign)
        self._replace(botocore.credentials, "_local_now", self.for_credentials)
        pool = botocore.awsrequest.AWSHTTPSConnectionPool
        self._replace(pool, "ConnectionCls", connection_class(self._clock))

    def close(self) -> None:
        """Leave botocore as it was; idempotent."""
        self._undo.close()
        self._opened = False

    def for_credentials(self) -> datetime:
        """What a provider of credentials takes for now."""
        return datetime.fromtimestamp(self._clock.for_credentials_s(), UTC)

    def _to_sign(self, remove_tzinfo: bool = True) -> datetime:
        now = datetime.fromtimestamp(self._clock.to_sign_s(), UTC)
        return now.replace(tzinfo=None) if remove_tzinfo else now

    def _replace(self, owner: Any, name: str, value: Callable[..., Any]) -> None:
        was = getattr(owner, name)
        setattr(owner, name, value)
        self._undo.callback(setattr, owner, name, was)
