"""The AWS backend, and the wire contract that the edge shares with it."""
