"""Drivers for readers, locks and inputs behind small protocols. Knows neither the agent nor the cloud."""
