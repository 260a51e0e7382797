"""How many cases a fuzz test runs.

`make test` runs a fixed number, the same ones each time: what failed fails again. Run for longer, with new cases each
time, by a factor:

    make fuzz FUZZ=100
    CARDEA_FUZZ=100 .venv/bin/python -m pytest tests/fuzz -n 0

A failure of such a run prints `@reproduce_failure(...)`: put it above the test to see the case again.
"""

import os
from typing import Final

from hypothesis import HealthCheck, settings

FACTOR: Final = float(os.environ.get("CARDEA_FUZZ", "1"))
"""Times the cases of `make test`; 1 and below stay deterministic."""
LONGER: Final = FACTOR > 1


def cases(number: int) -> settings:
    """Settings for a test that runs this many cases in `make test`."""
    return settings(
        max_examples=max(1, int(number * FACTOR)),
        derandomize=not LONGER,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
