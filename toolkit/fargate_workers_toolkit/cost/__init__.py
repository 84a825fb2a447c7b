"""What AWS charges: dated prices with their sources, and bills made of them."""

from fargate_workers_toolkit.cost.bill import DAYS, HOURS, Bill, Line
from fargate_workers_toolkit.cost.prices import Price, Prices, Status, prices_of, read_prices

__all__ = ["DAYS", "HOURS", "Bill", "Line", "Price", "Prices", "Status", "prices_of", "read_prices"]
