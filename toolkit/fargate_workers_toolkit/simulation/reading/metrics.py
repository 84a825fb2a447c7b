"""Reads the metrics that alarms and tracking policies follow, and which queue they watch."""

from collections.abc import Mapping

from fargate_workers_toolkit.errors import SimulationError
from fargate_workers_toolkit.simulation.model import Metric, PlannerUse, Query
from fargate_workers_toolkit.simulation.reading.metric_sources import metric_of, query_of
from fargate_workers_toolkit.templates import Evaluated, Resource, TemplateLocation

QUEUE = "AWS::SQS::Queue"
SERVICE = "AWS::ECS::Service"
LONGEST_PERIOD = 604_800


class MetricReader:
    """The metrics of one service.

    Args:
        evaluated: The assembly.
        service: The service's resource.
        planner: The policies' use of this project's planner; None where there is none.

    Attributes:
        queues: The queues that its policies watch, as far as read, once each.
    """

    def __init__(self, evaluated: Evaluated, service: Resource, planner: PlannerUse | None) -> None:
        self._evaluated = evaluated
        self._service = service
        self._planner = planner
        self.queues: list[Resource] = []

    def query(self, place: TemplateLocation) -> Query:
        """An alarm's metrics, or a tracking policy's: both spell a single one in place and several as a list."""
        if place.get("Metrics") is None:
            return Query(metrics={"metric": self._metric(place, place, statistic=self._statistic(place))})
        entries = {entry["Id"].text(): entry for entry in place["Metrics"]}
        metrics: dict[str, Metric] = {}
        expressions: dict[str, str] = {}
        for name, entry in entries.items():
            stat = entry.get("MetricStat")
            if stat is not None:
                metrics[name] = self._metric(stat, stat["Metric"], statistic=stat["Stat"].text())
            else:
                expressions[name] = entry["Expression"].text()
        band = next((each for each in entries.values() if _is_band(each)), None)
        if band is not None:
            raise SimulationError(
                f"{band.where} is an anomaly detection band, which CloudWatch learns from the past; a load of one day "
                "cannot be judged by it."
            )
        returned = [name for name, entry in entries.items() if _is_returned(entry)]
        if len(returned) != 1:
            found = "none" if not returned else " and ".join(returned)
            raise SimulationError(
                f"{place.where}.Metrics returns {found} of its metrics; only alarms on one series can be simulated: "
                "let one have ReturnData."
            )
        return query_of(metrics, expressions, returned=returned[0], where=place.where)

    def _statistic(self, place: TemplateLocation) -> str:
        extended = place.get("ExtendedStatistic")
        return place["Statistic"].text() if extended is None else extended.text()

    def _metric(self, stat: TemplateLocation, metric: TemplateLocation, *, statistic: str) -> Metric:
        period = stat.get("Period")
        namespace, name = metric["Namespace"].text(), metric["MetricName"].text()
        dimensions = {each["Name"].text(): each["Value"] for each in metric.parts("Dimensions")}
        found = metric_of(
            namespace=namespace,
            name=name,
            statistic=statistic,
            # Those of target tracking have none: https://github.com/aws/aws-cdk/issues/20659
            period=60 if period is None else period.number(most=LONGEST_PERIOD),
            dimensions=list(dimensions),
            planned=self._planner is not None,
            where=stat.where,
        )
        self._check(namespace, dimensions, where=metric.where)
        return found

    def _check(self, namespace: str, dimensions: Mapping[str, TemplateLocation], *, where: str) -> None:
        """A check that known metrics are those of this service and of a queue that is there."""
        match namespace, dimensions:
            case "AWS/SQS", {"QueueName": place}:
                queue = self._evaluated.referred(place.value, type=QUEUE, name="QueueName")
                if queue is None:
                    raise SimulationError(f"{place.where} is no queue of the template; give the whole cloud assembly.")
                if not any(queue is known for known in self.queues):
                    self.queues.append(queue)
            case "AWS/SQS", _:
                raise SimulationError(f"{where} has no dimension QueueName; add it.")
            case _, {"ServiceName": place}:
                service = self._evaluated.referred(place.value, type=SERVICE, name="ServiceName")
                if service is not self._service:
                    raise SimulationError(f"{place.where} is not the service that is scaled; name that one.")
            case _, {"Worker": place} if self._planner is not None and str(place.value) != self._planner.worker:
                raise SimulationError(
                    f"{place.where} is {place.value}, and the policy follows the plans for {self._planner.worker}; "
                    "name the same worker in both."
                )
            case _:
                pass


def _is_returned(entry: TemplateLocation) -> bool:
    returned = entry.get("ReturnData")
    return returned is None or returned.flag()


def _is_band(entry: TemplateLocation) -> bool:
    expression = entry.get("Expression")
    return expression is not None and "ANOMALY_DETECTION_BAND" in str(expression.value)
