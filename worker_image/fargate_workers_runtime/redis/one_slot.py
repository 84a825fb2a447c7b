"""A client that follows its keys to the node of a cluster that has them."""

from collections.abc import Callable
from typing import Any

import redis
from redis.exceptions import MovedError


class OneSlotClient(redis.Redis):
    """redis-py's client of one server, for a caller whose keys of one command are all in one hash slot.

    A node of a cluster that does not have the slot names the one that has it. Commands go there from then on, until it
    cannot be reached: after a failover the server's own address leads to the cluster again.
    """

    def execute_command(self, *args: Any, **options: Any) -> Any:
        pool: Any = self.connection_pool
        parent: Any = super()
        execute: Callable[..., Any] = parent.execute_command
        try:
            return execute(*args, **options)
        except MovedError as error:
            moved: Any = error
            pool.follow(moved.host, moved.port)
        except (redis.ConnectionError, redis.TimeoutError):
            pool.return_home()
            raise
        return execute(*args, **options)
