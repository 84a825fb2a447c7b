"""The worker on brokers other than SQS, and what drains the same brokers elsewhere."""
