"""The names of the metrics that the observer publishes. Their dimension is Source, the name of a stream or a list."""

#: The namespace of the metrics.
OBSERVER_NAMESPACE = "FargateWorkers/Sources"

#: The metrics, and their units. A list has no ages.
METRICS = {"Waiting": "Count", "InFlight": "Count", "Length": "Count", "DeadLetters": "Count", "OldestAge": "Seconds"}
