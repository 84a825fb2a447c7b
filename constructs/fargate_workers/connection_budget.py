"""How many connections each worker's tasks may open, so that a cache never runs out of them. Pure arithmetic."""

from dataclasses import dataclass, replace

# A deployment at 200 % runs every old task beside every new one.
DEPLOYMENT_FACTOR = 2
# Threads of one task rarely need more at once; what is left over is for the next worker.
USUAL_POOL = 50


@dataclass(frozen=True)
class Share:
    """What one worker may take: `connections_per_task` for each of its tasks, doubled while a deployment runs."""

    worker: str
    max_tasks: int
    connections_per_task: int

    @property
    def connections(self) -> int:
        return DEPLOYMENT_FACTOR * self.max_tasks * self.connections_per_task

    def __str__(self) -> str:
        return (
            f"{self.worker} {DEPLOYMENT_FACTOR} x {self.max_tasks} tasks x {self.connections_per_task} "
            f"= {self.connections}"
        )


@dataclass(frozen=True)
class ConnectionBudget:
    """What a node of `cache` accepts (`max_clients`) and who has been promised how much of it.

    >>> budget = ConnectionBudget("ReadModel", max_clients=20_000).grant("Orders", max_tasks=10)
    >>> budget.used, budget.limit
    (1000, 16000)
    """

    cache: str
    max_clients: int
    shares: tuple[Share, ...] = ()

    @property
    def limit(self) -> int:
        """80 % of `max_clients`: replicas, snapshots and people who look into the cache need connections too."""
        return self.max_clients * 8 // 10

    @property
    def used(self) -> int:
        return sum(share.connections for share in self.shares)

    def grant(self, worker: str, *, max_tasks: int, connections_per_task: int | None = None) -> "ConnectionBudget":
        """Promise `worker` a pool of `connections_per_task` in each of its tasks.

        Default: 50 connections per task, or as many as are left when that is fewer.
        Raises ValueError, naming every worker, when all pools together would exceed `limit`.
        """
        for name, amount in (("max_tasks", max_tasks), ("connections_per_task", connections_per_task)):
            if amount is not None and amount < 1:
                raise ValueError(f"{self.cache}: {worker} connects with {name}={amount}; use at least 1.")
        if connections_per_task is None:
            connections_per_task = max(1, min(USUAL_POOL, self._left_per_task(max_tasks)))
        granted = replace(self, shares=(*self.shares, Share(worker, max_tasks, connections_per_task)))
        if granted.used > granted.limit:
            raise ValueError(granted._overdrawn())
        return granted

    def _left_per_task(self, max_tasks: int) -> int:
        return (self.limit - self.used) // (DEPLOYMENT_FACTOR * max_tasks)

    def _overdrawn(self) -> str:
        return (
            f"{self.cache}: workers may open {self.used} connections, but it bears {self.limit} "
            f"(80 % of its node's {self.max_clients}): {', '.join(map(str, self.shares))}; "
            "lower max_tasks or connections_per_task, or choose a larger node_type."
        )
