"""The thin shell around the core: one thread per blocking thing, one inbox, one owner of all door state."""
