"""The namespaces of this project's metrics. Their dimension is Worker, the worker's qualified name."""

#: What the runtime writes in the container.
RUNTIME_NAMESPACE = "FargateWorkers"
#: What the observer of streams and lists publishes.
SOURCES_NAMESPACE = "FargateWorkers/Sources"
#: What the planner publishes.
PLANNER_NAMESPACE = "FargateWorkers/Scaling"
#: Among it: seconds for which a paused worker stays paused beyond what was meant. Nothing of a worker that is not.
PAUSE_OVERDUE = "PauseOverdue"
