"""The events of a function: the batch of messages that Lambda's event source mapping passes to one invocation."""

from fargate_workers_runtime.brokers.function.events import deliveries_of
from fargate_workers_runtime.brokers.function.invocation import Invocation
from fargate_workers_runtime.brokers.function.invocation_broker import InvocationBroker

__all__ = ["Invocation", "InvocationBroker", "deliveries_of"]
