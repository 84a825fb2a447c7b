"""Messages a second from one Kafka topic, by one process with a handler that does nothing.

    python -m benchmarks.brokers.kafka [--rounds 3] [--peers /tmp/kafka-peers] [--json]

All read the same topic of an embedded broker, one after the other, in every round. A rate counts from the first handled
message to the last, so that joining the group does not matter. The bare loops are what one writes by hand: poll, parse,
handle, and commit after each message, which repeats one message after a crash at most; or fetch in batches and commit
once a second, which repeats a second's work, and has neither retries nor dead letters nor an order to keep.
"""
