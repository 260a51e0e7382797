"""All figures, in the order in which they run. A new figure is a module of its own and a line here."""

from collections.abc import Mapping
from typing import Final

from tests.bench.figures import (
    cards,
    consumer,
    decision,
    delivery,
    idle,
    link,
    lists,
    revocation,
    rex,
    start,
    storage,
    tap,
)
from tests.bench.result import Figure

FIGURES: Final[Mapping[str, Figure]] = {
    module.FIGURE.name: module.FIGURE
    for module in (decision, tap, cards, lists, revocation, start, rex, storage, delivery, consumer, link, idle)
}
