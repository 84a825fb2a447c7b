"""What a service, its work and its metrics are, read from a template."""

from fargate_workers_toolkit.simulation.reading.services import read_service

__all__ = ["read_service"]
