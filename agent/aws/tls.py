"""TLS to AWS while the system's clock is wrong: checks the dates of certificates by the trusted time, and learns the
time from answers.

OpenSSL judges dates by the system's clock: in 1970 no honest certificate is valid yet. So where the system's clock is
not right, OpenSSL checks all but the dates, and here they are checked: against the trusted time; while there is none,
against its floor first, and against the answer's own Date once it is there. Only connections whose chain was verified
teach the time: plain HTTP never does.
"""

import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from agent.core.timekeeping import Answer, Validity
from agent.ports import CloudClock

if TYPE_CHECKING:
    from botocore.awsrequest import AWSHTTPSConnection

NO_CHECK_TIME: Final = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which Python has no name for."""


def connection_class(clock: CloudClock) -> "type[AWSHTTPSConnection]":
    """A connection of botocore's that goes by this clock."""
    from botocore.awsrequest import AWSHTTPSConnection

    class TimedConnection(AWSHTTPSConnection):
        """Takes the place of botocore's for all its clients in this process."""

        _validity: Validity | None = None
        """Of the peer's chain; None until it is verified."""
        _sent_s = 0.0

        def connect(self) -> None:
            """Connect, and check the dates of the peer's certificates."""
            self._validity = None
            context = self.ssl_context
            if context is not None and not self.proxy_is_forwarding:
                # The context is shared by connections; whichever way it is set, the dates are checked below.
                if clock.system_is_right():
                    context.verify_flags &= ~NO_CHECK_TIME
                else:
                    context.verify_flags |= NO_CHECK_TIME
            super().connect()
            if not self.is_verified or self.proxy_is_forwarding:
                return
            try:
                self._validity = _validity(self.sock)
                problem = clock.certificate_problem(self._validity)
            except AttributeError as error:
                problem = f"the certificates' dates can't be read ({error})"
            if problem is not None:
                self.close()
                raise ssl.SSLError(f"certificate verify failed: {problem}")
            self._sent_s = clock.boot_s()

        def request(self, *args: Any, **more: Any) -> Any:
            """Send; over a new connection the time to make it does not count."""
            self._sent_s = clock.boot_s()
            return super().request(*args, **more)

        def getresponse(self, *args: Any, **more: Any) -> Any:
            """Receive, and learn the time."""
            response = super().getresponse(*args, **more)
            if self._validity is not None:
                date = response.headers.get("Date")
                problem = clock.hear(Answer(date, self._sent_s, clock.boot_s(), self._validity))
                if problem is not None:
                    self.close()
                    raise ssl.SSLError(f"certificate verify failed: {problem}")
            return response

    return TimedConnection


def _validity(sock: Any) -> Validity:
    """When the whole verified chain is valid. Python 3.13 has a name for the chain; 3.11 and 3.12 only this one."""
    chain: Sequence[Any] = getattr(sock, "sslobj", sock)._sslobj.get_verified_chain()
    dates = [certificate.get_info() for certificate in chain]
    return Validity(
        not_before_s=max(ssl.cert_time_to_seconds(each["notBefore"]) for each in dates),
        not_after_s=min(ssl.cert_time_to_seconds(each["notAfter"]) for each in dates),
    )
