"""Card readers, one driver each."""
