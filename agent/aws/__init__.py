"""Adapters to AWS for the edge. Vendor errors stop here."""
