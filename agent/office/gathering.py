"""Many people read one by one, a few at a time: lists name them, and only each one's own page says all."""

import queue
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import Final

from agent.office.api import Api, Document

_AT_ONCE: Final = 4
"""Enough to hide the way to the service, and few enough not to be told to slow down."""


def gathered(api: Api, people: Sequence[str]) -> Iterator[Document]:
    """These people, in this order; raises what the API raises, and asks for no more then."""
    clients: queue.SimpleQueue[Api] = queue.SimpleQueue()

    def one(name: str) -> Document:
        client = clients.get()
        try:
            return client.get("people", name)
        finally:
            clients.put(client)

    with ExitStack() as opened:
        for _ in range(_AT_ONCE):
            clients.put(opened.enter_context(closing(api.another())))
        threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="gathering")
        opened.callback(threads.shutdown, cancel_futures=True)
        yield from threads.map(one, people)
