"""SIGKILL of the real daemon in a loop under taps, with a cloud that misbehaves: what was told arrives."""

from pathlib import Path

import pytest

from tests.faults import kills
from tests.faults.storm import MET

ROUNDS = 60
SEED = 3


@pytest.mark.timeout(600)
def test_every_decision_told_arrives_through_sigkill_and_faults(tmp_path: Path) -> None:
    """Nothing is missing, nothing is extra; order, chain and signatures hold; nothing is left that blocks a start."""
    outcome = kills.run(ROUNDS, SEED, lambda _done, _rounds: None, tmp_path)
    assert not outcome.problems, f"seed {SEED}: {outcome.problems}"
    assert outcome.figures["SIGKILLs"] >= ROUNDS
    # The run was what it is meant to be: people were served, the endpoint failed, and records came twice.
    assert outcome.figures["decisions told"] > 0
    assert outcome.figures["events that came again"] > 0
    assert sum(count for name, count in outcome.figures.items() if name.startswith(MET)) > 0
