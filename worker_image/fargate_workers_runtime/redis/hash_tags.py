"""Names of keys that belong together: those with one hash tag are in one slot of a cluster."""


def hash_tag(key: str) -> str:
    """The part of a key that decides its slot: what is between its first braces, or all of it.

    https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags

    Args:
        key: The name of a key.

    Example:
        >>> hash_tag("{orders}:dead"), hash_tag("orders"), hash_tag("a{}b")
        ('orders', 'orders', 'a{}b')
    """
    begin = key.find("{")
    end = key.find("}", begin + 1)
    return key[begin + 1 : end] if begin >= 0 and end > begin + 1 else key


def companion(key: str, part: str) -> str:
    """The name of a key that is kept in the slot of another one.

    Args:
        key: The other key.
        part: What the new key holds.

    Example:
        >>> companion("orders", "later"), companion("shop:{orders}", "later")
        ('{orders}:later', 'shop:{orders}:later')
    """
    return f"{key}:{part}" if hash_tag(key) != key else f"{{{key}}}:{part}"
