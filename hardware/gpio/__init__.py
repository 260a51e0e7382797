"""Lock relays and inputs on GPIO pins, and their emulated twins."""
