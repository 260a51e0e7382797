"""The environment variables of a function: what its stack tells it. A missing one stops the function at its start."""

from collections.abc import Mapping

from cloud.errors import CloudError


def variable(environ: Mapping[str, str], name: str) -> str:
    """The value of CARDEA_<name>; raises CloudError when it is missing or empty."""
    value = environ.get(f"CARDEA_{name}")
    if not value:
        raise CloudError(f"CARDEA_{name} is not set: the function's stack must set it")
    return value
