"""Every app in examples/ synthesizes, makes what its first line promises, and is quoted by a page."""

import importlib.util
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from aws_cdk import App, Stack

ROOT = Path(__file__).parents[2]
FILES = {path.stem: path for path in sorted((ROOT / "examples").glob("*.py"))}
FENCED = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
LONGEST = 40

Resource = Mapping[str, Any]


def module_of(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build_into(app: App, module: ModuleType) -> None:
    """What the example does when it is run, in an app of the test's: its `build`, or its one stack."""
    if hasattr(module, "build"):
        module.build(app)
        return
    (stack,) = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Stack) and value.__module__ == module.__name__
    ]
    stack(app, stack.__name__)


@pytest.fixture(scope="module")
def resources(context: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Resource]]:
    """The resources of each example, all of its stacks together."""
    found: dict[str, list[Resource]] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)  # from where the examples name the folder of the image
        for name, path in FILES.items():
            outdir = tmp_path_factory.mktemp(name)
            app = App(outdir=str(outdir), context=context)
            build_into(app, module_of(path))
            app.synth()
            templates = [json.loads(each.read_text()) for each in outdir.rglob("*.template.json")]
            found[name] = [each for template in templates for each in template["Resources"].values()]
    return found


def properties(resources: list[Resource], kind: str) -> list[dict[str, Any]]:
    return [each.get("Properties", {}) for each in resources if each["Type"] == f"AWS::{kind}"]


def variables(resources: list[Resource]) -> list[dict[str, Any]]:
    """The variables of each container."""
    return [
        {each["Name"]: each["Value"] for each in container.get("Environment", [])}
        for task in properties(resources, "ECS::TaskDefinition")
        for container in task["ContainerDefinitions"]
    ]


PROMISES: dict[str, Callable[[list[Resource]], bool]] = {
    "first_stack": lambda made: (
        bool(properties(made, "ECS::Service"))
        and any(each.get("AlarmActions") for each in properties(made, "CloudWatch::Alarm"))
        and any(each["Protocol"] == "email" for each in properties(made, "SNS::Subscription"))
    ),
    "fifo": lambda made: [each.get("FifoQueue", False) for each in properties(made, "SQS::Queue")].count(True) == 2,
    "own_queue": lambda made: (
        not any("RedrivePolicy" in each for each in properties(made, "SQS::Queue"))
        and len(properties(made, "ApplicationAutoScaling::ScalableTarget")) == 1
    ),
    "queue_function": lambda made: (
        not properties(made, "ECS::Service")
        and [each["ScalingConfig"] for each in properties(made, "Lambda::EventSourceMapping")]
        == [{"MaximumConcurrency": 20}]
    ),
    "scheduled_task": lambda made: (
        [each["ScheduleExpressionTimezone"] for each in properties(made, "Scheduler::Schedule")] == ["Europe/Amsterdam"]
    ),
    "object_created": lambda made: all(
        any(f"{prefix}/" in json.dumps(rule) for rule in properties(made, "Events::Rule"))
        for prefix in ("incoming", "bulk")
    ),
    "redis_cache": lambda made: (
        len(properties(made, "ElastiCache::ReplicationGroup")) == 1
        and [(each.get("RATE_LIMIT_PER_SECOND"), each.get("CLAIM_STORE")) for each in variables(made)]
        == [("50", "redis")]
    ),
    "kafka": lambda made: (
        sorted(each["TopicName"] for each in properties(made, "MSK::Topic"))
        == [
            "orders",
            "orders.apply.dead-letters",
            "orders.notify-customers.dead-letters",
            "orders.notify-customers.retries",
        ]
        and [each["KAFKA_START"] for each in variables(made)] == ["earliest", "latest"]
    ),
    "redis_stream": lambda made: (
        [(each["STREAM_GROUP"], each["STREAM_RETAIN_SECONDS"]) for each in variables(made)]
        == [("count", "86400"), ("profiles", "86400")]
    ),
    "redis_list": lambda made: (
        [(each["LIST_NAME"], each["LIST_DELIVERY"]) for each in variables(made)] == [("{jobs}", "at-least-once")]
    ),
    "sns_fan_out": lambda made: (
        sorted(each["FilterPolicy"]["kind"] for each in properties(made, "SNS::Subscription"))
        == [["order_paid"], ["order_paid", "order_refunded"]]
    ),
    "deduplication": lambda made: (
        len(properties(made, "DynamoDB::GlobalTable")) == 1
        and [each["VISIBILITY_TIMEOUT_SECONDS"] for each in variables(made)] == ["60"]
    ),
    "database": lambda made: (
        len(properties(made, "RDS::DBInstance")) == 2
        and sorted(each["CLAIM_STORE"] for each in variables(made)) == ["postgres", "postgres"]
        and sorted(each["DATABASE_AUTHENTICATION"] for each in variables(made)) == ["iam", "password"]
    ),
    "existing_vpc": lambda made: properties(made, "EC2::VPC") == [] and properties(made, "SNS::Topic") == [],
    "two_environments": lambda made: (
        sorted(each["MaxCapacity"] for each in properties(made, "ApplicationAutoScaling::ScalableTarget")) == [2, 40]
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_an_example_makes_what_it_promises(name: str, resources: dict[str, list[Resource]]) -> None:
    assert PROMISES[name](resources[name])


def test_there_are_ten_examples_and_a_promise_for_each() -> None:
    assert len(FILES) >= 10
    assert set(PROMISES) == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_an_example_is_short_and_begins_with_what_it_shows(name: str) -> None:
    lines = FILES[name].read_text(encoding="utf-8").splitlines()

    assert len(lines) <= LONGEST
    assert re.fullmatch(r'"""[A-Z].+\."""', lines[0])


def test_every_example_is_quoted_by_a_page() -> None:
    pages = [path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md")]
    quoted = {block for page in pages for block in FENCED.findall(page)}

    missing = [name for name, path in FILES.items() if path.read_text(encoding="utf-8") not in quoted]
    assert missing == [], f"No page of docs/ quotes these examples, letter for letter: {', '.join(missing)}"
