"""Redis lists: an ordinary list with leases, and a producer whose equal messages stay apart."""

from fargate_workers_runtime.brokers.redis_lists.list_broker import ListBroker
from fargate_workers_runtime.brokers.redis_lists.opening import open_list
from fargate_workers_runtime.brokers.redis_lists.producing import ListFull, ListProducer, list_producer
from fargate_workers_runtime.brokers.redis_lists.settings import ListSettings
from fargate_workers_runtime.brokers.redis_lists.unleased_broker import UnleasedListBroker

__all__ = [
    "ListBroker",
    "ListFull",
    "ListProducer",
    "ListSettings",
    "UnleasedListBroker",
    "list_producer",
    "open_list",
]
