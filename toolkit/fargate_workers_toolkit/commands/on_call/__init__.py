"""The commands of someone on call."""
