"""What AWS documents with numbers, beside what the simulator's semantics make of the same."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count

from benchmarks.report import Check, Row
from fargate_workers_toolkit.aws_behaviour.alarm_evaluation import MissingData, State, evaluate
from fargate_workers_toolkit.aws_behaviour.cooldown import Activity, Bounds, Cooldowns
from fargate_workers_toolkit.aws_behaviour.step_scaling import AdjustmentType, Step, StepPolicy, scale_by_steps
from fargate_workers_toolkit.aws_behaviour.target_tracking import Reading, Tracked, TrackingPolicy, scale_out, track

STEPS = "https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html"
TRACKING = "https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html"
BACKLOG = "https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-using-sqs-queue.html"
ECS = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-autoscaling-targettracking.html"
ALARMS = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html"

BOUNDS = Bounds(0, 100)


@dataclass(frozen=True, kw_only=True)
class Example:
    """`documented`: what AWS prints. `calculate`: gives what comes out here."""

    name: str
    source: str
    documented: object
    calculate: Callable[[], object]

    @property
    def reproduced(self) -> bool:
        return self.calculate() == self.documented


POINTS = {"0": 0.0, "X": 10.0, "-": None}
TREATMENTS: tuple[MissingData, ...] = ("missing", "ignore", "breaching", "notBreaching")
KEEP = None

States = tuple[State | None, ...]

# Both tables of five rows as AWS prints them: datapoints to alarm, datapoints, and the state under each treatment.
# A newer page of the guide prints the premature rows as X---- and ----X.
TABLES: list[tuple[int, str, States]] = [
    (3, "0-X-X", ("OK", "OK", "OK", "OK")),
    (3, "0----", ("OK", "OK", "OK", "OK")),
    (3, "-----", ("INSUFFICIENT_DATA", KEEP, "ALARM", "OK")),
    (3, "0XX-X", ("ALARM", "ALARM", "ALARM", "ALARM")),
    (3, "--X--", ("ALARM", KEEP, "ALARM", "OK")),
    (2, "0-X-X", ("ALARM", "ALARM", "ALARM", "ALARM")),
    (2, "00X0X", ("ALARM", "ALARM", "ALARM", "ALARM")),
    (2, "0-X--", ("OK", "OK", "ALARM", "OK")),
    (2, "----0", ("OK", "OK", "ALARM", "OK")),
    (2, "---X-", ("ALARM", KEEP, "ALARM", "OK")),
]
# What the guide's text says about premature alarms beside the tables.
PREMATURE: list[tuple[int, str, States]] = [
    (3, "----X", ("INSUFFICIENT_DATA", KEEP, "ALARM", "OK")),
    (3, "---X-", ("INSUFFICIENT_DATA", KEEP, "ALARM", "OK")),
    (3, "X----", ("ALARM", KEEP, "ALARM", "OK")),
    (2, "----X", ("INSUFFICIENT_DATA", KEEP, "ALARM", "OK")),
]


def _states(needed: int, points: str) -> States:
    return tuple(
        evaluate(
            [POINTS[point] for point in points],
            comparison="GreaterThanThreshold",
            threshold=5,
            evaluation_periods=3,
            datapoints_to_alarm=needed,
            missing_data=treatment,
        )
        for treatment in TREATMENTS
    )


MISSING_DATA = [
    Example(
        name=f"{needed} of 3: {points}", source=ALARMS, documented=states, calculate=partial(_states, needed, points)
    )
    for needed, points, states in TABLES + PREMATURE
]


def _policy(*steps: Step, kind: AdjustmentType = "PercentChangeInCapacity", cooldown: float = 0) -> StepPolicy:
    return StepPolicy(adjustment_type=kind, steps=steps, cooldown=cooldown)


def _guides_metrics() -> list[int]:
    """The guide's two policies with a threshold of 50, for six metrics one after the other."""
    out = _policy(
        Step(adjustment=0, lower=0, upper=10), Step(adjustment=10, lower=10, upper=20), Step(adjustment=30, lower=20)
    )
    into = _policy(
        Step(adjustment=0, lower=-10, upper=0),
        Step(adjustment=-10, lower=-20, upper=-10),
        Step(adjustment=-30, upper=-20),
    )
    capacities = [10]
    for policy, metric in ((out, 60), (out, 70), (out, 55), (into, 40), (into, 30), (into, 45)):
        outcome = scale_by_steps(policy, difference=metric - 50, current=capacities[-1], bounds=BOUNDS, moment=0)
        capacities.append(outcome.capacity)
    return capacities


def _larger_while_cooling() -> list[int]:
    """Two tasks more, then three more 60 and 120 seconds later, with a cooldown of 300 seconds."""
    steps = Step(adjustment=2, lower=0, upper=10), Step(adjustment=3, lower=10)
    policy = _policy(*steps, kind="ChangeInCapacity", cooldown=300)
    capacities, last = [10], None
    for moment, difference in ((0, 0), (60, 10), (120, 10)):
        outcome = scale_by_steps(
            policy, difference=difference, current=capacities[-1], bounds=BOUNDS, moment=moment, last=last
        )
        capacities.append(outcome.capacity)
        last = outcome.activity or last
    return capacities


def _out_while_in_cools() -> int:
    policy = _policy(Step(adjustment=2, lower=0), kind="ChangeInCapacity")
    shrunk = Activity(base=4, capacity=3, until=300)
    return scale_by_steps(policy, difference=0, current=3, bounds=BOUNDS, moment=1, last=shrunk).capacity


def _change(capacity: int, percent: int, *, magnitude: int = 1) -> int:
    policy = StepPolicy(adjustment_type="PercentChangeInCapacity", steps=(), minimum_magnitude=magnitude)
    return policy.capacity_after(capacity, Step(adjustment=percent)) - capacity


STEP_SCALING = [
    Example(
        name="10 tasks at 60, 70, 55, 40, 30, 45",
        source=STEPS,
        documented=[10, 11, 14, 14, 13, 10, 10],
        calculate=_guides_metrics,
    ),
    Example(
        name="+2, then +3 while cooling, adds 3",
        source=STEPS,
        documented=[10, 12, 13, 13],
        calculate=_larger_while_cooling,
    ),
    Example(name="out goes while in cools", source=STEPS, documented=5, calculate=_out_while_in_cools),
    Example(name="12.7 is 12", source=STEPS, documented=12, calculate=partial(_change, 127, 10)),
    Example(name=".67 is 1", source=STEPS, documented=1, calculate=partial(_change, 67, 1)),
    Example(name="-.58 is -1", source=STEPS, documented=-1, calculate=partial(_change, 58, -1)),
    Example(name="-6.67 is -6", source=STEPS, documented=-6, calculate=partial(_change, 667, -1)),
    Example(name="25 % of 4, at least 2", source=STEPS, documented=2, calculate=partial(_change, 4, 25, magnitude=2)),
    Example(
        name="no cooldown named is 300 s",
        source="https://docs.aws.amazon.com/autoscaling/application/APIReference/API_StepScalingPolicyConfiguration.html",
        documented=300,
        calculate=lambda: (
            StepPolicy.from_template({"AdjustmentType": "ChangeInCapacity", "StepAdjustments": []}).cooldown
        ),
    ),
]


def _out(target: float, metric: float, current: int) -> int:
    return scale_out(TrackingPolicy(target=target), metric=metric, current=current, bounds=BOUNDS, moment=0).capacity


def _larger_tracking_while_cooling() -> list[int]:
    policy, capacities, last = TrackingPolicy(target=100), [10], None
    for moment, metric in ((0, 150), (60, 150), (120, 180)):
        outcome = scale_out(policy, metric=metric, current=capacities[-1], bounds=BOUNDS, moment=moment, last=last)
        capacities.append(outcome.capacity)
        last = outcome.activity or last
    return capacities


def _agreed() -> int:
    """Two policies that would shrink 20 tasks, to 5 and to 16."""
    agreed = [
        Tracked(f"{target}", TrackingPolicy(target=target), high=Reading(False, metric), low=Reading(True, metric))
        for target, metric in ((100, 25.0), (50, 40.0))
    ]
    decided = track(agreed, cooldowns=Cooldowns(), current=20, bounds=BOUNDS, moment=0)
    return decided[1].capacity if decided else 20


def _minutes_until_alarm(*, above: bool) -> int:
    """How long a metric has to be far from its target before the alarm that AWS makes goes off."""
    policy = TrackingPolicy(target=100)
    periods = policy.high_periods if above else policy.low_periods

    def alarms(minutes: int) -> bool:
        state = evaluate(
            [100.0] * 20 + [200.0 if above else 50.0] * minutes,
            comparison="GreaterThanThreshold" if above else "LessThanThreshold",
            threshold=policy.target if above else policy.target * policy.low_ratio,
            evaluation_periods=periods,
        )
        return state == "ALARM"

    return next(minutes for minutes in count(1) if alarms(minutes))


TARGET_TRACKING = [
    Example(
        name="1,500 messages, 10 tasks, 100 each: 5 more",
        source=BACKLOG,
        documented=15,
        calculate=partial(_out, 100, 150, 10),
    ),
    Example(
        name="without tasks it starts with the least", source=ECS, documented=1, calculate=partial(_out, 100, 5000, 0)
    ),
    Example(
        name="a metric at its target never wakes a service",
        source="https://github.com/aws/copilot-cli/issues/3376",
        documented=0,
        calculate=partial(_out, 1, 1, 0),
    ),
    Example(
        name="more while cooling counts what was added",
        source=TRACKING,
        documented=[10, 15, 15, 18],
        calculate=_larger_tracking_while_cooling,
    ),
    Example(name="of policies that agree the largest wins", source=TRACKING, documented=16, calculate=_agreed),
    Example(
        name="out after 3 minutes, in after 15",
        source="https://github.com/aws/aws-cdk/issues/34472",
        documented=(3, 15),
        calculate=lambda: (_minutes_until_alarm(above=True), _minutes_until_alarm(above=False)),
    ),
]


def check() -> Check:
    tables = {
        "rows of CloudWatch's missing-data tables": MISSING_DATA,
        "step scaling examples": STEP_SCALING,
        "target tracking examples": TARGET_TRACKING,
    }
    return Check(
        measures="What AWS documents with numbers, reproduced",
        rows=[_row(name, examples) for name, examples in tables.items()],
        beside={
            "sources": sorted({example.source for examples in tables.values() for example in examples}),
            "not reproduced": [
                example.name for examples in tables.values() for example in examples if not example.reproduced
            ],
        },
    )


def _row(name: str, examples: Sequence[Example]) -> Row:
    reproduced = sum(example.reproduced for example in examples)
    return Row(name=name, value=reproduced, least=len(examples), beside=f"of {len(examples)}")
