"""The edge: the daemon that runs at a door, and its command line."""
