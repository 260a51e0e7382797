"""A peer: boto3 as it is used at first, 500 events a request and no look at what of it was refused.

Runs in the environment of the peers: `python naive_boto3.py EVENTS STREAM KEY LIMIT_S`.
"""

import json
import resource
import sys
import time
from pathlib import Path

import boto3

BATCH = 500


def main() -> None:
    """Send one event a line; print what it took."""
    path, stream, key, limit_s = sys.argv[1:]
    lines = Path(path).read_bytes().splitlines()
    client = boto3.client("kinesis")
    client.put_records(StreamName=stream, Records=[{"Data": b'{"seq":0}', "PartitionKey": key}])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start_s, used_s = time.perf_counter(), time.process_time()
    for first in range(0, len(lines), BATCH):
        if time.perf_counter() - start_s > float(limit_s):
            break
        client.put_records(
            StreamName=stream,
            Records=[{"Data": line, "PartitionKey": key} for line in lines[first : first + BATCH]],
        )
    took_s, used_s = time.perf_counter() - start_s, time.process_time() - used_s
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"took_s": took_s, "used_s": used_s, "grown_mib": (peak - before) / 1024}))


if __name__ == "__main__":
    main()
