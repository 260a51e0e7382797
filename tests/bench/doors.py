"""Configurations of the daemon for figures."""

from tests.bench import site

DOOR = f"""
[[door]]
id = "{site.DOOR}"
[door.lock]
driver = "emulated"
fail = "secure"
strike_s = 1.0
[[door.reader]]
name = "front-in"
direction = "in"
driver = "emulated"
[door.inputs.rex]
driver = "emulated"
normally = "open"
"""

CLOUD = """
[aws]
region = "eu-central-1"
stream = "events"
table = "lists"
bucket = "lists-bucket"
"""
