"""Plans, once a minute, how many tasks each worker needs, and publishes how many are missing or too many."""
