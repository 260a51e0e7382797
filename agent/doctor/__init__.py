"""The self-test of a controller. It looks and asks; it must never drive a relay, take a reader or change a setting."""
