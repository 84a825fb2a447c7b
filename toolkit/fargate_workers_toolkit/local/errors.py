"""What can be wrong before anything runs."""


class LocalError(Exception):
    """One sentence: what is wrong, where, and how to mend it. The command ends with exit code 2."""
