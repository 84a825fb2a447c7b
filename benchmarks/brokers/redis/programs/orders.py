"""What every program is sent: an order of about 200 bytes."""

from benchmarks.worker.orders import order

__all__ = ["order"]
