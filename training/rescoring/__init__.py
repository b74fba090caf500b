"""Looks again, with the heavy networks, at what was flagged."""
