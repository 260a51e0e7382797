"""What our own code was seen to use; `make bench` (figure `consumer`) and the tests of the stacks say the same."""

from typing import Final

from cloud.cost.usage import Measured

MEASURED: Final = Measured(
    event_bytes=560,
    record_bytes=1_150,
    archived_bytes=190,
    stored_bytes=750,
    write_units=3.0,
    read_units=1.0,
    consumer_ms=2.0,
    transform_ms=0.2,
    change_write_units=24.0,
    change_ms=400.0,
)
