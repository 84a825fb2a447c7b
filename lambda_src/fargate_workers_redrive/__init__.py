"""Moves dead letters back to the queue they came from, at a bounded rate."""
