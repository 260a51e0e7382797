"""Configurations of the daemon for figures."""

from tests.bench import site


def door(reader: str) -> str:
    """A door whose reader is configured by these lines."""
    return f"""
[[door]]
id = "{site.DOOR}"
[door.lock]
driver = "emulated"
fail = "secure"
strike_s = 1.0
[[door.reader]]
name = "front-in"
direction = "in"
{reader}
[door.inputs.rex]
driver = "emulated"
normally = "open"
"""


DOOR = door('driver = "emulated"')

CLOUD = """
[aws]
region = "eu-central-1"
stream = "events"
table = "lists"
bucket = "lists-bucket"
"""
