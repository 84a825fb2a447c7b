"""How much of a fleet is busy where its tasks share the partitions of a topic."""


def busy_slots(tasks: int, *, concurrency: int, partitions: int | None) -> int:
    """The messages that so many tasks handle at once, in the long run.

    Keys come evenly over the partitions, so that the task with the most of them is the last to be done: twelve of them
    on five tasks are worked off as quickly as on four. What a rebalance pauses is left out.

    >>> [busy_slots(tasks, concurrency=10, partitions=12) for tasks in (1, 4, 5, 12, 20)]
    [10, 40, 40, 120, 120]

    Args:
        tasks: Tasks that run.
        concurrency: Messages that a task handles at once.
        partitions: The partitions. None: no source bounds them.
    """
    if partitions is None or not tasks:
        return tasks * concurrency
    largest = -(-partitions // min(tasks, partitions))
    return partitions * concurrency // largest
