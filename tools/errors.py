"""What can be wrong with a command's arguments."""


class MistakeError(Exception):
    """One sentence: what is wrong, where, and how to correct it."""
