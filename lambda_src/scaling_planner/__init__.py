"""Plans, once a minute, how many tasks each queue worker needs, and publishes how many are missing or too many."""
