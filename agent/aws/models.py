"""What botocore reads of its own data files, less what no door needs: 4 MiB of memory.

Its files describe every service at every region, and each shape in prose. A slimmed session holds endpoints of the
services that a door calls, and no prose. A service that is left out here still works where its endpoint has the usual
form.
"""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from botocore.session import Session

_SERVICES: Final = ("kinesis", "dynamodb", "s3", "sts")
"""The last one is asked for credentials."""


def slim(session: "Session") -> None:
    """Let a new session hold only what a door needs. It must not have made a client yet."""
    from botocore.loaders import JSONFileLoader

    class SlimFiles(JSONFileLoader):
        """Its files, slimmed before anything keeps them."""

        def load_file(self, file_path: str) -> Any:
            return slimmed(super().load_file(file_path))

    session.get_component("data_loader").file_loader = SlimFiles()


def slimmed(value: Any) -> Any:
    """The same data in plain dicts, without prose and without the endpoints of other services."""
    if isinstance(value, list):
        return [slimmed(each) for each in value]
    if not isinstance(value, dict):
        return value
    # Emptied and not left out: botocore insists on some. A shape may have a member by that name, which is no text.
    kept: dict[str, Any] = {
        key: "" if key == "documentation" and isinstance(each, str) else each for key, each in value.items()
    }
    if "dnsSuffix" in kept and "services" in kept:  # a partition of endpoints.json
        kept["services"] = {key: each for key, each in kept["services"].items() if key in _SERVICES}
    return {key: slimmed(each) for key, each in kept.items()}
