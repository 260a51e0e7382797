"""The endpoint's weathers: which records are not taken."""

import random

from tests.bench.weather import BURST_S, EVERY_S, FAULTS, SHARDS, THROTTLED, clean, faults, shard_of, throttling

ENTRIES = [{"PartitionKey": f"door-{number}", "Data": ""} for number in range(400)]


def test_in_clean_weather_all_is_taken() -> None:
    """Nothing fails."""
    assert clean(ENTRIES).record_errors == {}


def test_faults_meet_their_part_of_the_records() -> None:
    """One in twenty, of both kinds; the same ones in every run."""
    script, again = faults(random.Random(1)), faults(random.Random(1))
    failed = [script(ENTRIES).record_errors for _ in range(20)]
    assert failed == [again(ENTRIES).record_errors for _ in range(20)]
    codes = [code for errors in failed for code in errors.values()]
    assert abs(len(codes) / (20 * len(ENTRIES)) - FAULTS) < 0.01
    assert set(codes) == {THROTTLED, "InternalFailure"}


def test_throttling_hits_a_whole_shard_for_a_while() -> None:
    """All of a shard or none of it, each shard for its part of every second."""
    now_s = 0.0
    script = throttling(lambda: now_s)
    hit = dict.fromkeys(range(SHARDS), 0)
    for step in range(100):
        now_s = step * EVERY_S / 100
        errors = script(ENTRIES).record_errors
        for shard in range(SHARDS):
            of_shard = {place in errors for place, entry in enumerate(ENTRIES) if shard_of(entry) == shard}
            assert len(of_shard) == 1
            hit[shard] += of_shard.pop()
    assert all(abs(count - 100 * BURST_S / EVERY_S) <= 1 for count in hit.values())
