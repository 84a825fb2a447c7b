"""The publishing of measures, as a line of CloudWatch's embedded metric format: no call, hence no way out is needed.

Lambda sends what is printed to CloudWatch Logs from wherever the function stands.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json

from fargate_workers_observer.measuring import Measures
from fargate_workers_observer.metric_names import METRICS, OBSERVER_NAMESPACE


def line_of(source: str, measures: Measures, *, now: float) -> str:
    """The line that publishes the measures of one source.

    Args:
        source: The name that the source goes by in metrics.
        measures: The measures, by the names of their metrics.
        now: The time in seconds.
    """
    definitions = [{"Name": name, "Unit": METRICS[name]} for name in measures]
    metrics = [{"Namespace": OBSERVER_NAMESPACE, "Dimensions": [["Source"]], "Metrics": definitions}]
    about = {"Timestamp": int(now * 1_000), "CloudWatchMetrics": metrics}
    return json.dumps({"_aws": about, "Source": source, **measures})
