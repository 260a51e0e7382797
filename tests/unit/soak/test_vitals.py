"""What counts as growth of a process, and that a reading is of the process that was asked for."""

import os
import threading

from tests.soak.vitals import MOST_MORE_MIB, Vitals, read, read_lowest

BEFORE = Vitals(threads=17, descriptors=24, pss_mib=60.0, anonymous_mib=55.0)


def test_growth_is_told_and_shared_pages_are_none() -> None:
    """Threads, descriptors beyond the kept connections and memory of one's own count; PSS alone does not."""
    assert BEFORE.more_than(BEFORE) == ()
    assert Vitals(17, 26, 90.0, 55.0 + MOST_MORE_MIB).more_than(BEFORE) == ()
    assert len(Vitals(18, 27, 60.0, 55.1 + MOST_MORE_MIB).more_than(BEFORE)) == 3


def test_a_reading_counts_a_thread_and_a_descriptor() -> None:
    """And the lowest of many readings is no higher than one of them."""
    before = read(os.getpid())
    ends = threading.Event()
    thread = threading.Thread(target=ends.wait)
    thread.start()
    pipe = os.pipe()
    try:
        after = read_lowest(os.getpid())
    finally:
        ends.set()
        thread.join()
        for end in pipe:
            os.close(end)
    assert (after.threads, after.descriptors) == (before.threads + 1, before.descriptors + 2)
    assert before.anonymous_mib > 1
