"""A task definition becomes local processes."""
