"""What ECS does for a service between requests: deployment events, and scale-in that protection held up."""

import json
from typing import Any

from fargate_workers_toolkit.local.emulator.ecs.task_lifecycle import put_event
from fargate_workers_toolkit.local.emulator.ministack_parts import ecs, responses

EVENT_NAMES = {
    "IN_PROGRESS": "SERVICE_DEPLOYMENT_IN_PROGRESS",
    "COMPLETED": "SERVICE_DEPLOYMENT_COMPLETED",
    "FAILED": "SERVICE_DEPLOYMENT_FAILED",
}


class Services:
    """Looks at every service once a minute."""

    def __init__(self) -> None:
        self._announced: dict[str, str] = {}

    def tick(self) -> None:
        """Announce deployments, and end tasks that a service no longer wants."""
        for key, service in ecs._services.all_items():
            if service["status"] == "ACTIVE":
                with responses.request_scope(key[0], key[1]):
                    self._announce(service)
                    if service.get("runningCount", 0) > service["desiredCount"]:
                        ecs._reconcile_service_tasks(ecs._cluster_name_from_arn(service["clusterArn"]), key[2])

    def _announce(self, service: dict[str, Any]) -> None:
        for deployment in list(service["deployments"]):
            state = deployment.get("rolloutState", "")
            if state not in EVENT_NAMES or self._announced.get(deployment["id"]) == state:
                continue
            self._announced[deployment["id"]] = state
            detail = {
                "eventType": "ERROR" if state == "FAILED" else "INFO",
                "eventName": EVENT_NAMES[state],
                "clusterArn": service["clusterArn"],
                "deploymentId": deployment["id"],
                "updatedAt": deployment.get("updatedAt"),
                "reason": deployment.get("rolloutStateReason", ""),
            }
            put_event("aws.ecs", "ECS Deployment State Change", json.dumps(detail), [service["serviceArn"]])
