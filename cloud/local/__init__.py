"""The local AWS: the same stacks on this machine, for `make run` and the tests."""
