"""The drivers of PostgreSQL, one file each: how a statement joins the transaction of a connection."""

from fargate_workers_runtime.sql.drivers.choosing import driver_of
from fargate_workers_runtime.sql.drivers.driver import AUTOCOMMIT, AsyncDriver, Driver, Row
from fargate_workers_runtime.sql.drivers.statement import Statement

__all__ = ["AUTOCOMMIT", "AsyncDriver", "Driver", "Row", "Statement", "driver_of"]
