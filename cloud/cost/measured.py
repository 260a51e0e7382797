"""What our own code was seen to use.

`make bench` (figure `consumer`) gives write units and processor time of an event, docs/benchmarks.md has its last
figures. A function with 512 MB has 0.29 of a processor (1,769 MB have one), so its milliseconds are longer than those.
"""

from typing import Final

from cloud.cost.usage import Measured

MEASURED: Final = Measured(
    event_bytes=560,
    record_bytes=1_150,
    archived_bytes=190,
    stored_bytes=750,
    write_units=1.5,
    read_units=1.0,
    consumer_ms=4.0,
    transform_ms=0.7,
    change_write_units=20.0,
    change_ms=400.0,
)
