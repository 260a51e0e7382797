"""Many people sent to the service: cut into requests that it takes, each followed to its end. Safe to do again.

One request holds all that fits. Only a file beyond that becomes several, each of which is applied on its own.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from agent.office.api import Api, Document
from agent.office.changes import Patience, follow
from cloud.domain.payloads import MAX_IMPORTED

MAX_BODY_BYTES: Final = 4 << 20
"""Of one request; the service stores 5 MB with what it adds."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of an import."""

    requests: tuple[Document, ...]
    people: int
    """Rows that were applied."""
    problems: tuple[Mapping[str, Any], ...] = field(default=())
    """Rows that could not be, as far as the service names them: line, column, detail."""


def batches(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """The rows in order, in as few requests as they fit into."""
    begin, size = 0, 0
    for place, row in enumerate(rows):
        weight = len(json.dumps(row)) + 2
        if place > begin and (place - begin >= MAX_IMPORTED or size + weight > MAX_BODY_BYTES):
            yield rows[begin:place]
            begin, size = place, 0
        size += weight
    if begin < len(rows):
        yield rows[begin:]


def import_people(
    api: Api,
    rows: Sequence[Row],
    patience: Patience | None,
    *,
    all_or_nothing: bool,
    on_progress: Callable[[int], None],
) -> Imported:
    """Send the rows; raises Rejected at the first request that is, whose later ones are not sent.

    `patience` None: wait for no end. `on_progress` is told how many rows are behind us.
    """
    ended: list[Document] = []
    problems: list[Mapping[str, Any]] = []
    behind = lost = 0
    for batch in batches(rows):
        body = {"rows": list(batch), "all_or_nothing": all_or_nothing}
        request = api.change("POST", "people", "import", body=body)
        if patience is not None:
            request = follow(api, request, patience, partial(_behind, on_progress, behind))
            found = request.get("problems") or []
            problems += found
            lost += int(request.get("problem_count") or len(found))
        behind += len(batch)
        on_progress(behind)
        ended.append(request)
    return Imported(tuple(ended), len(rows) - lost, tuple(problems))


def _behind(on_progress: Callable[[int], None], before: int, done: int, _of: int) -> None:
    on_progress(before + done)
