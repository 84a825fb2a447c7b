"""The measurement; see the package's docstring."""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import Producer

from tests.doubles.kafka_servers import KafkaServer, tansu

ROOT = Path(__file__).parents[3]
PROGRAMS = Path(__file__).parent / "programs"
KEYS, PARTITIONS = 1_000, 8
MESSAGES = 30_000
_LONGEST = 120.0


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A program that reads the topic.

    Attributes:
        messages: As many as make a run of a few seconds.
        peer: It runs in the peers' environment.
    """

    program: str
    messages: int = MESSAGES
    peer: bool = False
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


CONTESTANTS: Mapping[str, Contestant] = {
    "fargate_workers": Contestant(program="ours.py"),
    "bare loop, each committed": Contestant(program="bare.py", messages=10_000, environment={"LOOP": "each"}),
    "bare loop, committed as rarely": Contestant(program="bare.py", environment={"LOOP": "rare"}),
    "bare loop, batches": Contestant(program="bare.py", environment={"LOOP": "batches"}),
    "faststream": Contestant(program="faststream_orders.py", messages=10_000, peer=True),
    "faststream, each committed": Contestant(
        program="faststream_orders.py", messages=10_000, peer=True, environment={"COMMITS": "1"}
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.brokers.kafka")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", type=Path, help="a virtual environment with faststream[confluent]")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rates: dict[str, list[float]] = defaultdict(list)
    used: dict[str, list[float]] = defaultdict(list)
    with tansu(session_timeout=2) as server:
        topic = server.topic("bench", partitions=PARTITIONS)
        _fill(server, topic)
        for number in range(options.rounds):
            # Each second round in the reverse order: what else the machine does comes and goes.
            for name, contestant in list(CONTESTANTS.items())[:: -1 if number % 2 else 1]:
                if not contestant.peer or options.peers:
                    rate, milliseconds = _rate(server, topic, contestant, f"{name} {number}", options.peers)
                    rates[name].append(rate)
                    used[name].append(milliseconds)
    report = {
        name: {
            "messages_per_second": statistics.median(each),
            "cpu_milliseconds": statistics.median(used[name]),
            "by_rate": _ratios(rates["fargate_workers"], each),
            "by_cpu": _ratios(used[name], used["fargate_workers"]),
        }
        for name, each in rates.items()
    }
    if options.json:
        print(json.dumps(report))
    else:
        print("the rate of fargate_workers in times it, by the clock and by CPU: median (least-most)")
        for name, row in report.items():
            by_rate, by_cpu = (
                f"{each['median']:5.2f} ({each['least']:.2f}-{each['most']:.2f})"
                for each in (row["by_rate"], row["by_cpu"])
            )
            rate, cpu = row["messages_per_second"], row["cpu_milliseconds"]
            print(f"{name:<31} {rate:>9,.0f}/s   {cpu:.4f} ms of CPU each   {by_rate:<20} {by_cpu}")
    return 0


def _ratios(dividends: Sequence[float], divisors: Sequence[float]) -> Mapping[str, float]:
    """The ratios of one round each: their median, and the least and the most."""
    ratios = [dividend / divisor for dividend, divisor in zip(dividends, divisors, strict=True)]
    return {"median": statistics.median(ratios), "least": min(ratios), "most": max(ratios)}


def _fill(server: KafkaServer, topic: str) -> None:
    producer = Producer({"bootstrap.servers": server.servers, "linger.ms": 20, "log_level": 0})
    for number in range(MESSAGES):
        body = {"order_id": f"o-{number}", "customer": number % KEYS, "items": [{"sku": "a", "quantity": 2}] * 3}
        producer.produce(topic, key=f"c-{number % KEYS}", value=json.dumps(body))
        if number % 1000 == 0:
            producer.poll(0)
    producer.flush(60)


def _rate(
    server: KafkaServer, topic: str, contestant: Contestant, group: str, peers: Path | None
) -> tuple[float, float]:
    """Messages a second and milliseconds of CPU for each, by a group of its own that begins at the first one."""
    interpreter = str(peers / "bin" / "python") if contestant.peer and peers else sys.executable
    environment = {
        **os.environ,
        "PYTHONPATH": ":".join(map(str, (PROGRAMS, ROOT / "worker_image"))),
        "WORKER_NAME": "bench",
        "BROKER": "kafka",
        "KAFKA_BOOTSTRAP_SERVERS": server.servers,
        "KAFKA_AUTHENTICATION": "plaintext",
        "KAFKA_TOPIC": topic,
        "KAFKA_GROUP": group.replace(" ", "-"),
        "KAFKA_SESSION_TIMEOUT_SECONDS": "2",
        "HEALTH_FILE": os.devnull,
        "LOG_LEVEL": "WARNING",
        "MESSAGES": str(contestant.messages),
        **contestant.environment,
    }
    process = subprocess.Popen(
        [interpreter, str(PROGRAMS / contestant.program)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        output, _ = process.communicate(timeout=_LONGEST)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
    rates = [line for line in output.splitlines() if line.startswith("rate ")]
    if not rates:
        raise RuntimeError(f"{contestant.program} printed no rate:\n{output[-2000:]}")
    _, rate, milliseconds = rates[0].split()
    return float(rate), float(milliseconds)


if __name__ == "__main__":
    sys.exit(main())
