"""Where an environment is deployed, and the clients that reach it."""

from fargate_workers_toolkit.operations.places.aws import Aws
from fargate_workers_toolkit.operations.places.place import LOCAL, Place, find_place

__all__ = ["LOCAL", "Aws", "Place", "find_place"]
