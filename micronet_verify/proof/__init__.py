"""Runs what was priced: whatever was charged must be enough to compute the answers."""
