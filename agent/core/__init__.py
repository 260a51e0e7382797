"""The pure core: decisions and door states as plain functions over plain data. No I/O, clock, threads or logging."""
