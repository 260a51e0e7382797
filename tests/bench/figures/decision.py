"""A decision: looking the card up on disk and working out the answer, as the controller does for each tap."""

import random
import time
from collections.abc import Callable, Sequence
from functools import partial

from agent.core.decision import decide
from agent.core.model import DecisionSettings, Direction, Now, Request
from agent.storage.allowlist import SqliteAllowListReader
from tests.bench import site
from tests.bench.context import Context
from tests.bench.result import Figure, Row, at_most, measure
from tests.rigs.site import credential

P99_MS = 0.2
_SEED = 1


def run(context: Context) -> Sequence[Row]:
    """Random cards of the list, each at a moment of its own."""
    rounds = context.rounds(20_000, 2_000)
    chosen = random.Random(_SEED)
    cards = [credential(site.uid(chosen.randrange(context.cards))) for _ in range(rounds)]
    settings = DecisionSettings(max_list_age_s=86_400.0)
    wall_s = time.time()
    with SqliteAllowListReader(context.stocked(context.folder())) as lists:

        def answer(card: str) -> None:
            holder, policy = lists.find(card)
            request = Request(site.DOOR, Direction.IN, holder, policy, 10.0, None)
            decision = decide(request, settings, Now(time.monotonic(), wall_s, known=True))
            assert decision.granted, decision.reason

        answer(cards[0])
        ours_ms, processor_ms = _sample(answer, cards)
    table = {credential(site.uid(number)): number for number in range(context.cards)}
    bare_ms, _ = _sample(partial(_look_up, table), cards)
    ours = measure(f"find + decide, {context.cards:,} cards", "ms", ours_ms)
    processor = measure("", "ms", processor_ms)
    return [
        Row(
            ours,
            measure("lookup in a dict in memory", "ms", bare_ms),
            (at_most("p99", "ms", P99_MS, ours.p99),),
            (f"processor time alone: median {processor.median:.4f} ms, p99 {processor.p99:.4f} ms",),
        )
    ]


def _look_up(table: dict[str, int], card: str) -> None:
    table[card]


def _sample(work: Callable[[str], None], cards: Sequence[str]) -> tuple[list[float], list[float]]:
    """Milliseconds by the clock and of the processor for each card."""
    by_clock, of_processor = [], []
    for card in cards:
        used, start = time.thread_time_ns(), time.perf_counter_ns()
        work(card)
        by_clock.append((time.perf_counter_ns() - start) / 1e6)
        of_processor.append((time.thread_time_ns() - used) / 1e6)
    return by_clock, of_processor


FIGURE = Figure("decision", "Deciding", run)
