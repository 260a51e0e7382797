"""Backend rules as plain functions."""
