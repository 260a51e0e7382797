"""A peer: async-kinesis' Producer, its own limit of 1,000 records/s for a shard lifted, one event a record.

Runs in the environment of the peers: `python async_producer.py EVENTS STREAM KEY LIMIT_S`.
"""

import asyncio
import json
import logging
import os
import resource
import sys
import time
from contextlib import suppress
from pathlib import Path

from kinesis import Producer, StringProcessor

UNLIMITED = 1_000_000


async def main() -> None:
    """Send one event a line; print what it took, at the latest after the limit."""
    path, stream, key, limit_s = sys.argv[1:]
    logging.disable()
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    async with Producer(
        stream,
        endpoint_url=os.environ["AWS_ENDPOINT_URL_KINESIS"],
        region_name="eu-central-1",
        put_rate_limit_per_shard=UNLIMITED,
        put_bandwidth_limit_per_shard=UNLIMITED,
        skip_describe_stream=True,
        processor=StringProcessor(),
    ) as producer:
        await producer.put('{"seq":0}', partition_key=key)
        await producer.flush()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start_s, used_s = time.perf_counter(), time.process_time()

        async def all_of_them() -> None:
            for line in lines:
                await producer.put(line, partition_key=key)
            while producer.queue.qsize() or producer.overflow:
                await producer.flush()

        with suppress(TimeoutError):
            await asyncio.wait_for(all_of_them(), float(limit_s))
        took_s, used_s = time.perf_counter() - start_s, time.process_time() - used_s
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps({"took_s": took_s, "used_s": used_s, "grown_mib": (peak - before) / 1024}), flush=True)
        # Closing would go on sending what the limit cut off.
        os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
