"""An alarm as a value: what to watch, when it is too much, and what to say. Knows nothing of the CDK."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from shlex import quote
from typing import Literal

from fargate_workers.cloudformation import TOKEN, has_token
from fargate_workers.errors import ConfigurationError

Comparison = Literal[">", ">=", "<", "<="]
MissingData = Literal["notBreaching", "breaching", "ignore", "missing"]

RUNBOOKS = "docs/runbooks"
MAX_DESCRIPTION = 1024

_STATISTICS = ("Average", "Maximum", "Minimum", "SampleCount", "Sum")
_HOUR, _DAY, _WEEK = 3_600, 86_400, 604_800
LONGEST_NAME = 80  # a queue's; CloudFormation puts a name of unknown length in a token's place
LONGEST_SUBJECT = 100
# CloudWatch looks at a new alarm at once.
_AT_FIRST = " After the first deployment it is raised until there is something to see."


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One CloudWatch metric and the statistic to read; a depth or an age is a gauge, hence Maximum.

    An `intermittent` one is silent at times though all is well, as the lag of a consumer group that rebalances.
    """

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    statistic: str = "Maximum"
    intermittent: bool = False

    def __post_init__(self) -> None:
        if self.statistic not in _STATISTICS:
            raise ConfigurationError(
                f"The statistic {self.statistic!r} of metric {self.name} is none of CloudWatch's; "
                f"use one of {', '.join(_STATISTICS)}."
            )


@dataclass(frozen=True, kw_only=True)
class AlarmDefinition:
    """An alarm as a value: the metrics, the threshold, and the text for the person on call.

    `id` is the construct id and names the runbook: `DeadLetters` is explained in `dead-letters.md`.
    `operation` is the subcommand of fargate-workers to begin with, in which {environment} and {worker} stand for the
    subject's; `first_command` is what AWS CLI 2 shows instead of it.
    `then` is a command for later and when it is right, if there is one for all cases: "Run it now: aws ...".
    Several metrics need an `expression` over their keys. Silence is no alarm unless `missing_data` says "breaching".
    `rolls_back`: it stops deployments and rolls them back.
    Raises ConfigurationError when CloudWatch would refuse the alarm or the text is incomplete.
    """

    id: str
    symptom: str
    meaning: str
    first_command: str
    metrics: Mapping[str, Metric]
    operation: str = "doctor {environment}"
    then: str | None = None
    expression: str | None = None
    comparison: Comparison = ">="
    threshold: float = 1
    period: int = 60
    evaluation_periods: int = 1
    datapoints_to_alarm: int | None = None
    missing_data: MissingData = "notBreaching"
    rolls_back: bool = False

    def __post_init__(self) -> None:
        for mistake in (self._mistake_in_text(), self._mistake_in_metrics(), self._mistake_in_periods()):
            if mistake is not None:
                raise ConfigurationError(f"The alarm {self.id!r} {mistake}")

    @property
    def runbook(self) -> str:
        """The file name of the page that explains this alarm."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", self.id).lower() + ".md"

    @property
    def never_muted(self) -> str | None:
        """Why no mute may cover it; None where one may."""
        if self.rolls_back:
            return "it rolls deployments back"
        return "it watches for silence" if self.missing_data == "breaching" else None

    @property
    def explanation(self) -> str:
        """The meaning, and that silence is no news before there was anything else."""
        return self.meaning + (_AT_FIRST if self.missing_data == "breaching" else "")

    def begin_with(self, *, environment: str, worker: str) -> str:
        """The command of an operator to begin with.

        Args:
            environment: The environment's name.
            worker: The name of what the alarm is about, as people type it.
        """
        names = {"environment": _typed(environment), "worker": _typed(worker)}
        return f"fargate-workers {self.operation.format(**names)}"

    def describe(
        self, subject: str, *, environment: str, runbooks: str = RUNBOOKS, longest_name: int = LONGEST_NAME
    ) -> str:
        """The alarm's description for one `subject`: symptom, meaning, commands and runbook.

        What would not fit, with names of `longest_name` characters in the tokens' places, is left to the runbook:
        the meaning first, then the command for later, then that of AWS CLI 2.
        """
        head = f"{_in_short(subject)}: {self.symptom}"
        first = f"First: {self.begin_with(environment=environment, worker=subject.rpartition('/')[2])}"
        instead = f"Or: {self.first_command}"
        then = [self.then] if self.then else []
        page = f"Runbook: {runbooks}/{self.runbook}"
        longest = 0
        for lines in (
            [head, self.explanation, first, instead, *then, page],
            [head, first, instead, *then, page],
            [head, first, instead, page],
            [head, first, page],
        ):
            text = "\n".join(lines)
            longest = len(TOKEN.sub("n" * longest_name, text))
            if longest <= MAX_DESCRIPTION:
                return text
        raise ConfigurationError(
            f"The description of the alarm {self.id!r} for {_in_short(subject)} may become {longest} characters long; "
            f"CloudWatch takes {MAX_DESCRIPTION}: shorten its symptom or its operation."
        )

    def _mistake_in_text(self) -> str | None:
        if not re.fullmatch(r"([A-Z][a-z0-9]+)+", self.id):
            return "names no runbook; use words in PascalCase, such as 'DeadLetters'."
        for field in ("symptom", "meaning", "first_command", "operation"):
            if not getattr(self, field).strip():
                return f"has no {field}; say it in one sentence."
        return None

    def _mistake_in_metrics(self) -> str | None:
        if not self.metrics:
            return "watches no metric; name at least one."
        if self.expression is None and len(self.metrics) > 1:
            return f"has {len(self.metrics)} metrics and no expression; say how they combine."
        if self.expression is not None:
            for key in self.metrics:
                if not re.search(rf"\b{re.escape(key)}\b", self.expression):
                    return f"has a metric {key!r} which its expression never uses; use it or drop it."
        return None

    def _mistake_in_periods(self) -> str | None:
        if self.period not in (10, 20, 30) and (self.period < 60 or self.period % 60):
            return f"has a period of {self.period} s; use 10, 20, 30 or a multiple of 60."
        if self.evaluation_periods < 1:
            return f"has {self.evaluation_periods} evaluation periods; use at least 1."
        if self.datapoints_to_alarm is not None and not 1 <= self.datapoints_to_alarm <= self.evaluation_periods:
            return (
                f"wants {self.datapoints_to_alarm} datapoints out of {self.evaluation_periods}; "
                f"use a number from 1 to {self.evaluation_periods}."
            )
        window, longest = self.period * self.evaluation_periods, _WEEK if self.period >= _HOUR else _DAY
        if window > longest:
            return f"looks back {window} s; CloudWatch allows {longest} s with a period of {self.period} s."
        if not math.isfinite(self.threshold):
            return f"has the threshold {self.threshold}; use a finite number."
        return None


def _typed(name: str) -> str:
    """A name as a shell takes it; a placeholder and what only a deployment knows stay as they are."""
    return name if has_token(name) or re.fullmatch("<[a-z]+>", name) else quote(name)


def _in_short(subject: str) -> str:
    """Its beginning, which names the environment, and its end, which names the thing."""
    half = LONGEST_SUBJECT // 2
    return subject if len(subject) <= LONGEST_SUBJECT or has_token(subject) else f"{subject[:half]}…{subject[-half:]}"
