"""What a PostgreSQL database needs before workers can claim keys in it."""

from fargate_workers_toolkit.database.schema import Authentication, schema

__all__ = ["Authentication", "schema"]
