"""Looks, once a minute, at the streams and lists of a Redis cache, and publishes what waits in them."""
