"""How many connections each worker's tasks may open, so that a store never runs out of them. Pure arithmetic."""

from dataclasses import dataclass, replace

from fargate_workers.errors import ConfigurationError

# A deployment at 200 % runs every old task beside every new one.
DEPLOYMENT_FACTOR = 2
# Threads of one task rarely need more at once; what is left over is for the next worker.
USUAL_POOL = 50


@dataclass(frozen=True)
class Share:
    """What one worker may take: `connections_per_task` for each of its tasks, doubled while a deployment runs.

    Where each process of a task has a pool of its own, `pools` is the number of processes.
    """

    worker: str
    max_tasks: int
    connections_per_pool: int
    pools: int = 1

    @property
    def connections_per_task(self) -> int:
        return self.pools * self.connections_per_pool

    @property
    def connections(self) -> int:
        return DEPLOYMENT_FACTOR * self.max_tasks * self.connections_per_task

    def __str__(self) -> str:
        of_a_task = f"{self.pools} processes x " if self.pools > 1 else ""
        return (
            f"{self.worker} {DEPLOYMENT_FACTOR} x {self.max_tasks} tasks x {of_a_task}{self.connections_per_pool} "
            f"= {self.connections}"
        )


@dataclass(frozen=True)
class ConnectionBudget:
    """What a node of `store` accepts (`max_clients`) and who has been promised how much of it.

    `usual_pool` is the size of a pool for which nobody asks, `bearer` what accepts connections, and `way_out` what to
    do when they do not suffice.

    >>> budget = ConnectionBudget("ReadModel", max_clients=20_000).grant("Orders", max_tasks=10)
    >>> budget.used, budget.limit
    (1000, 16000)
    """

    store: str
    max_clients: int
    shares: tuple[Share, ...] = ()
    usual_pool: int = USUAL_POOL
    bearer: str = "its node"
    way_out: str = "lower max_tasks or connections_per_task, or choose a larger node_type"

    @property
    def limit(self) -> int:
        """80 % of `max_clients`: replicas, snapshots and people who look into the store need connections too."""
        return self.max_clients * 8 // 10

    @property
    def used(self) -> int:
        return sum(share.connections for share in self.shares)

    def grant(
        self, worker: str, *, max_tasks: int, connections_per_task: int | None = None, pools: int = 1
    ) -> "ConnectionBudget":
        """Promise `worker` a pool of `connections_per_task` in each of its tasks, or in each of their `pools`.

        Default: the usual pool, or as many connections as are left when that is fewer.
        Raises ConfigurationError, naming every worker, when all pools together would exceed `limit`.
        """
        for name, amount in (("max_tasks", max_tasks), ("connections_per_task", connections_per_task)):
            if amount is not None and amount < 1:
                raise ConfigurationError(f"{self.store}: {worker} connects with {name}={amount}; use at least 1.")
        if connections_per_task is None:
            connections_per_task = max(1, min(self.usual_pool, self._left_per_pool(max_tasks * pools)))
        granted = replace(self, shares=(*self.shares, Share(worker, max_tasks, connections_per_task, pools)))
        if granted.used > granted.limit:
            raise ConfigurationError(granted._overdrawn())  # noqa: SLF001  another of its kind
        return granted

    def _left_per_pool(self, pools: int) -> int:
        return (self.limit - self.used) // (DEPLOYMENT_FACTOR * pools)

    def _overdrawn(self) -> str:
        return (
            f"{self.store}: workers may open {self.used} connections, but it bears {self.limit} "
            f"(80 % of {self.bearer}'s {self.max_clients}): {', '.join(map(str, self.shares))}; {self.way_out}."
        )
