"""SQS: standard, FIFO, and behind a topic of SNS."""

import math
from collections.abc import Iterator, Mapping

from fargate_workers_toolkit.choosing import limits
from fargate_workers_toolkit.choosing.gauges import Gauge, Limit, Obstacle
from fargate_workers_toolkit.choosing.system import System, gathered, one_at_a_time, too_slow
from fargate_workers_toolkit.choosing.workers import POLLERS, POLLS, fargate_tasks, function_batch, worker_line
from fargate_workers_toolkit.choosing.workload import Workload
from fargate_workers_toolkit.cost import Line, Price, Prices


def standard_queue(workload: Workload, prices: Prices) -> System:
    """SQS standard.

    Args:
        workload: The workload.
        prices: The prices.
    """
    price = prices["sqs.standard_request"]
    return System(
        key="sqs",
        name="SQS",
        hindrances=(
            *_no_order(workload),
            *_no_replay(workload),
            *_one_reader(workload),
            *too_slow(workload, limits.SQS_LATENCY, name="SQS"),
        ),
        gauges=tuple(_queue_gauges(workload)),
        lines=(Line(what="sending", quantity=_sends(workload, limits.SQS_BYTES), price=price),),
        reading=_reading(workload, price, fifo=False),
        code=(
            'orders = WorkerQueue(self, "Orders")',
            worker_line(workload),
        ),
    )


def fifo_queue(workload: Workload, prices: Prices) -> System:
    """SQS FIFO, with high throughput.

    Args:
        workload: The workload.
        prices: The prices.
    """
    price = prices["sqs.fifo_request"]
    return System(
        key="sqs-fifo",
        name="SQS FIFO",
        hindrances=(
            *_no_replay(workload),
            *_one_reader(workload),
            *too_slow(workload, limits.SQS_LATENCY, name="SQS"),
        ),
        gauges=(*_queue_gauges(workload), *one_at_a_time(workload), *_fifo_gauges(workload)),
        lines=(Line(what="sending", quantity=_sends(workload, limits.SQS_BYTES), price=price),),
        reading=_reading(workload, price, fifo=True),
        code=(
            'orders = WorkerQueue(self, "Orders", fifo=True)',
            worker_line(workload),
        ),
        remarks=(
            *_needs_high_throughput(workload),
            "It removes what a sender repeats within five minutes; handlers still need an idempotency key.",
        ),
    )


def fan_out(workload: Workload, prices: Prices) -> System:
    """A topic of SNS and a queue for each reader; FIFO where order counts.

    Args:
        workload: The workload.
        prices: The prices.
    """
    fifo = workload.ordering != "none"
    price = prices["sqs.fifo_request" if fifo else "sqs.standard_request"]
    return System(
        key="sns-sqs",
        name="SNS + SQS FIFO" if fifo else "SNS + SQS",
        hindrances=(*_no_replay(workload), *too_slow(workload, limits.SNS_LATENCY, name="SNS and SQS")),
        gauges=(
            *_queue_gauges(workload, size=limits.SNS_BYTES, whose="SNS"),
            *_topic_gauges(workload),
            *(_fifo_topic_gauges(workload) if fifo else ()),
            *(one_at_a_time(workload) if fifo else ()),
        ),
        lines=tuple(_publishing(workload, prices, fifo=fifo)),
        reading=_reading(workload, price, fifo=fifo),
        code=(
            f"apply = {worker_line(workload, source='fifo=True' if fifo else '')}  # one a reader",
            "apply.subscribe(topic)",
        ),
        remarks=tuple(_needs_group_scope(workload)) if fifo else (),
    )


def _no_order(workload: Workload) -> Iterator[Obstacle]:
    if workload.ordering != "none":
        yield Obstacle(text="a standard queue keeps no order", source=limits.SQS_STANDARD_ORDER)


def _no_replay(workload: Workload) -> Iterator[Obstacle]:
    if workload.replay:
        yield Obstacle(
            text="an acknowledged message is deleted, so nothing can be read again", source=limits.SQS_DELETES
        )


def _one_reader(workload: Workload) -> Iterator[Obstacle]:
    if workload.readers > 1:
        yield Obstacle(
            text=f"a message goes to one of the consumers, and {workload.readers} readers want each",
            source=limits.SQS_DELETES,
        )


def _needs_high_throughput(workload: Workload) -> Iterator[str]:
    if _calls(workload, workload.peak_rate) > limits.FIFO_GROUP_CALLS.most:
        yield (
            f"More than {limits.FIFO_GROUP_CALLS.most:g} calls a second need high throughput, which "
            "WorkerQueue(fifo=True) switches on; an existing queue may lack it."
        )


def _queue_gauges(workload: Workload, *, size: Limit = limits.SQS_BYTES, whose: str = "SQS") -> Iterator[Gauge]:
    yield Gauge(what="bytes in a message", whose=whose, used=workload.size, limit=size, grows=False)
    yield Gauge(
        what="messages in flight",
        whose="SQS",
        used=workload.peak_rate * workload.handler_seconds,
        limit=limits.SQS_IN_FLIGHT,
    )
    yield Gauge(
        what="seconds of one handler",
        whose="SQS",
        used=workload.handler_seconds,
        limit=limits.SQS_VISIBILITY,
        grows=False,
    )


def _calls(workload: Workload, rate: float) -> float:
    return rate / _sent_at_once(workload, limits.SQS_BYTES)


def _fifo_gauges(workload: Workload) -> Iterator[Gauge]:
    yield Gauge(
        what="calls a second on one FIFO queue",
        whose="SQS's quota in us-east-1",
        used=_calls(workload, workload.peak_rate),
        limit=limits.FIFO_CALLS,
    )
    if workload.ordering != "none":
        yield Gauge(
            what="calls a second in one message group",
            whose="SQS",
            used=_calls(workload, workload.chain_rate),
            limit=limits.FIFO_GROUP_CALLS,
        )


def _topic_gauges(workload: Workload) -> Iterator[Gauge]:
    yield Gauge(
        what="messages a second published",
        whose="SNS's quota in us-east-1",
        used=workload.peak_rate,
        limit=limits.SNS_MESSAGES,
    )


def _fifo_topic_gauges(workload: Workload) -> Iterator[Gauge]:
    yield Gauge(
        what="messages a second in one message group",
        whose="SQS",
        used=workload.chain_rate,
        limit=Limit(most=limits.SQS_BATCH * limits.FIFO_GROUP_CALLS.most, source=limits.FIFO_GROUP_CALLS.source),
    )
    yield Gauge(
        what="subscriptions of one FIFO topic",
        whose="SNS",
        used=workload.readers,
        limit=limits.SNS_FIFO_SUBSCRIPTIONS,
        grows=False,
    )


def _needs_group_scope(workload: Workload) -> Iterator[str]:
    rate, megabytes = workload.peak_rate, workload.peak_rate * workload.size / 1e6
    if rate > limits.SNS_FIFO_MESSAGES.most or megabytes > limits.SNS_FIFO_MEGABYTES.most:
        yield (
            f"More than {limits.SNS_FIFO_MESSAGES.most:,g} messages or {limits.SNS_FIFO_MEGABYTES.most:g} MB a second "
            "need a FIFO topic with fifo_throughput_scope=MESSAGE_GROUP."
        )


def _sent_at_once(workload: Workload, most: Limit) -> float:
    """Messages of one send request: as many of ten as fit."""
    fitting = max(1, int(most.most / workload.size))
    return min(limits.SQS_BATCH, fitting) if workload.sending == "batched" else 1


def _sends(workload: Workload, most: Limit) -> float:
    """Billed send requests of a month: one for each 64 KiB, all messages of a request together."""
    batch = _sent_at_once(workload, most)
    return workload.monthly * _chunks(batch * workload.size) / batch


def _chunks(size: float) -> float:
    return max(1, math.ceil(size / limits.SQS_CHUNK))


def _reading(workload: Workload, price: Price, *, fifo: bool) -> Mapping[str, tuple[Line, ...]]:
    tasks = fargate_tasks(workload)
    batch = gathered(workload, workload.rate / tasks)
    pods = tuple(_receiving(workload, price, batch=batch, idle=tasks))
    function = _receiving(workload, price, batch=function_batch(workload, fifo=fifo), idle=POLLERS)
    return {"fargate": pods, "keda": pods, "lambda": tuple(function)}


def _receiving(workload: Workload, price: Price, *, batch: float, idle: float) -> Iterator[Line]:
    """Receiving, acknowledging, and the polls of an empty queue, for every reader."""
    receipts = workload.monthly * _chunks(batch * workload.size) / batch
    yield Line(what="receiving", quantity=workload.readers * receipts, price=price)
    yield Line(what="acknowledging", quantity=workload.readers * workload.monthly / batch, price=price)
    yield Line(what="polling", quantity=workload.readers * idle * POLLS, price=price)


def _publishing(workload: Workload, prices: Prices, *, fifo: bool) -> Iterator[Line]:
    if not fifo:
        requests = _sends(workload, limits.SNS_BYTES)
        yield Line(what="publishing", quantity=requests, price=prices["sns.standard_request"])
        return
    batch = _sent_at_once(workload, limits.SNS_BYTES)
    deliveries = workload.readers * workload.monthly
    yield Line(what="publishing", quantity=workload.monthly / batch, price=prices["sns.fifo_request"])
    yield Line(what="published data", quantity=workload.gigabytes, price=prices["sns.fifo_gigabyte"])
    yield Line(what="delivering", quantity=deliveries, price=prices["sns.fifo_delivery"])
    yield Line(
        what="delivered data",
        quantity=workload.readers * workload.gigabytes,
        price=prices["sns.fifo_delivery_gigabyte"],
    )
