"""What botocore reads of its own data files, less what no door needs: 7 MiB of memory.

Its files describe every service at every region, each operation of a service, and each shape in prose. A slimmed
session holds endpoints of the services that a door calls, of those services the operations that it calls, and no
prose. A service that is left out here still works, whole, where its endpoint has the usual form.
"""

import gzip
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from botocore.session import Session

_SERVICES: Final = ("kinesis", "dynamodb", "s3", "sts")
"""The last one is asked for credentials, by whatever operation they come from."""
OPERATIONS: Final[Mapping[str, frozenset[str]]] = {
    "Kinesis": frozenset({"PutRecords"}),
    "DynamoDB": frozenset({"GetItem", "Query"}),
    # HeadObject is the self-test's. With the last two botocore asks where a bucket is, and for keys of express buckets.
    "S3": frozenset({"GetObject", "HeadObject", "HeadBucket", "CreateSession"}),
}
"""What a door calls, by the service's id."""
_FORMS: Final[Mapping[str, Callable[..., IO[str]]]] = {".json": open, ".json.gz": gzip.open}
_PROSE: Final = re.compile(r'"documentation"\s*:\s*"(?:[^"\\]|\\.)*"')
"""Within a text of JSON the quotes would be escaped. Only texts: a shape may have a member that is called so."""


def slim(session: "Session") -> None:
    """Let a new session hold only what a door needs. It must not have made a client yet."""
    from botocore.loaders import JSONFileLoader

    class SlimFiles(JSONFileLoader):
        """Its files, slimmed before anything keeps them."""

        def load_file(self, file_path: str) -> Any:
            for ending, open_as in _FORMS.items():
                with suppress(FileNotFoundError), open_as(f"{file_path}{ending}", "rt", encoding="utf-8") as file:
                    return slimmed(file.read())
            return None

    session.get_component("data_loader").file_loader = SlimFiles()


def slimmed(text: str) -> Any:
    """The data in such a file, without prose, operations that no door calls and endpoints of other services."""
    # Prose goes before it is read: what is read for a moment, too, is memory that the process never gives back.
    # Emptied and not left out: botocore insists on some.
    data = json.loads(_PROSE.sub('"documentation":""', text))
    if not isinstance(data, dict):
        return data
    for partition in data.get("partitions", ()):
        if "services" in partition:
            partition["services"] = {key: it for key, it in partition["services"].items() if key in _SERVICES}
    return _with_operations_of_a_door(data)


def _with_operations_of_a_door(data: dict[str, Any]) -> dict[str, Any]:
    """A service's description with the operations that a door calls, and the shapes that these need."""
    kept = OPERATIONS.get(data.get("metadata", {}).get("serviceId"))
    if kept is None or "operations" not in data:
        return data
    operations = {name: each for name, each in data["operations"].items() if name in kept}
    shapes: dict[str, Any] = {}
    waiting = list(_shapes_in(operations))
    while waiting:
        name = waiting.pop()
        if name not in shapes:
            shapes[name] = data["shapes"][name]
            waiting.extend(_shapes_in(shapes[name]))
    return {**data, "operations": operations, "shapes": shapes}


def _shapes_in(value: Any) -> Iterator[str]:
    """Names of the shapes that a part of a description refers to."""
    if isinstance(value, list):
        for each in value:
            yield from _shapes_in(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key == "shape" and isinstance(each, str):
                yield each
            else:
                yield from _shapes_in(each)
