"""Carries out what the back office asks for: reads, lets the rules decide, writes once. Knows no Lambda."""
