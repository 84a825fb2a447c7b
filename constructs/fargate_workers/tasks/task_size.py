"""The sizes that Fargate has, so that a wrong one is refused before it is deployed. Pure arithmetic."""

from fargate_workers.errors import ConfigurationError

# MiB of memory by CPU units.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html#task_size
_MEMORY = {
    256: [512, 1_024, 2_048],
    512: range(1_024, 4_096 + 1, 1_024),
    1_024: range(2_048, 8_192 + 1, 1_024),
    2_048: range(4_096, 16_384 + 1, 1_024),
    4_096: range(8_192, 30_720 + 1, 1_024),
    8_192: range(16_384, 61_440 + 1, 4_096),
    16_384: range(32_768, 122_880 + 1, 8_192),
}


def check_task_size(name: str, *, cpu: int, memory_mib: int) -> None:
    """Check that Fargate has such a task.

    Raises:
        ConfigurationError: It has none.
    """
    if cpu not in _MEMORY:
        raise ConfigurationError(f"{name}: cpu is {cpu}; Fargate takes {', '.join(map(str, _MEMORY))}.")
    sizes = _MEMORY[cpu]
    if memory_mib not in sizes:
        written = ", ".join(map(str, sizes))
        raise ConfigurationError(f"{name}: memory_mib is {memory_mib}; with cpu={cpu}, Fargate takes {written}.")
