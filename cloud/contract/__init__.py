"""The wire contract, pure: events, packed records, allow-list items, reasons. The only code both sides import."""
