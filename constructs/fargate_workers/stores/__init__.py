"""State beside the work: claims and caches."""

from fargate_workers.stores import cache_node
from fargate_workers.stores.connecting_task import TaskRules
from fargate_workers.stores.database import Database
from fargate_workers.stores.deduplication_table import DeduplicationTable
from fargate_workers.stores.existing_database import ExistingDatabase
from fargate_workers.stores.postgres_database import PostgresDatabase
from fargate_workers.stores.redis_cache import RedisCache
from fargate_workers.stores.task_stores import Claims, access_to, claim_store, one_cache

__all__ = [
    "Claims",
    "Database",
    "DeduplicationTable",
    "ExistingDatabase",
    "PostgresDatabase",
    "RedisCache",
    "TaskRules",
    "access_to",
    "cache_node",
    "claim_store",
    "one_cache",
]
