"""The error that the library raises."""


class ConfigurationError(ValueError):
    """A mistake in the use of a construct. Its sentence says what is wrong, where, and how to correct it."""
