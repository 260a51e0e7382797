"""What the door keeps on disk: the journal, the allow-list and small state, one SQLite file each."""
