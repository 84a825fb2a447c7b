"""KEDA's resources as JSON Schema, closed: a key that KEDA does not know is refused, which Kubernetes would drop.

Written from the CRDs of KEDA (config/crd/bases of kedacore/keda, v1alpha1) and from the specification of 2.18:
https://keda.sh/docs/2.18/reference/scaledobject-spec/
https://keda.sh/docs/2.18/reference/scaledjob-spec/
https://keda.sh/docs/2.18/authentication-providers/aws/
The parameters of the triggers are from the pages of their scalers:
https://keda.sh/docs/2.18/scalers/apache-kafka/ and, beside it, aws-sqs, redis-streams and redis-lists.
"""

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NAME: Schema = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63}
WHOLE: Schema = {"type": "integer", "minimum": 0}


def closed(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """An object with these keys and no others."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def listed(item: Schema) -> Schema:
    return {"type": "array", "items": item, "minItems": 1}


def resource(kind: str, spec: Schema) -> Schema:
    metadata = closed({"name": NAME}, {"namespace": NAME, "labels": {"type": "object", "additionalProperties": TEXT}})
    return closed(
        {"apiVersion": {"const": "keda.sh/v1alpha1"}, "kind": {"const": kind}, "metadata": metadata, "spec": spec}
    )


SCALING_POLICY = closed(
    {
        "type": {"enum": ["Pods", "Percent"]},
        "value": {"type": "integer", "minimum": 1},
        "periodSeconds": {"type": "integer", "minimum": 1, "maximum": 1_800},
    }
)
SCALING_RULES = closed(
    {},
    {
        "stabilizationWindowSeconds": {"type": "integer", "minimum": 0, "maximum": 3_600},
        "selectPolicy": {"enum": ["Max", "Min", "Disabled"]},
        "policies": listed(SCALING_POLICY),
    },
)
BOOLEAN_TEXT: Schema = {"enum": ["true", "false"]}
NUMBER_TEXT: Schema = {"type": "string", "pattern": "^[0-9]+$"}
#: The parameters of each trigger, all of them texts.
PARAMETERS: Mapping[str, Schema] = {
    "aws-sqs-queue": closed(
        {"queueURL": {"type": "string", "pattern": "^https://"}, "awsRegion": TEXT},
        {
            "queueLength": NUMBER_TEXT,
            "activationQueueLength": NUMBER_TEXT,
            "scaleOnInFlight": BOOLEAN_TEXT,
            "scaleOnDelayed": BOOLEAN_TEXT,
            "awsEndpoint": TEXT,
        },
    ),
    "kafka": closed(
        {"bootstrapServers": TEXT, "consumerGroup": TEXT},
        {
            "topic": TEXT,
            "lagThreshold": NUMBER_TEXT,
            "activationLagThreshold": NUMBER_TEXT,
            "offsetResetPolicy": {"enum": ["latest", "earliest"]},
            "allowIdleConsumers": BOOLEAN_TEXT,
            "scaleToZeroOnInvalidOffset": BOOLEAN_TEXT,
            "excludePersistentLag": BOOLEAN_TEXT,
            "limitToPartitionsWithLag": BOOLEAN_TEXT,
            "ensureEvenDistributionOfPartitions": BOOLEAN_TEXT,
            "version": TEXT,
            "partitionLimitation": TEXT,
            "sasl": {"enum": ["plaintext", "scram_sha256", "scram_sha512", "gssapi", "oauthbearer", "none"]},
            "saslTokenProvider": {"enum": ["bearer", "aws_msk_iam"]},
            "tls": {"enum": ["enable", "disable"]},
            "unsafeSsl": BOOLEAN_TEXT,
            "awsRegion": TEXT,
        },
    ),
    # One of three, as the scaler reads them: with a group the length is not read, and the lag needs its activation.
    # https://github.com/kedacore/keda/blob/main/pkg/scalers/redis_streams_scaler.go
    "redis-streams": {
        "oneOf": [
            closed(
                {"address": TEXT, "stream": TEXT, **wanted}, {"enableTLS": BOOLEAN_TEXT, "databaseIndex": NUMBER_TEXT}
            )
            for wanted in (
                {"streamLength": NUMBER_TEXT},
                {"consumerGroup": TEXT, "pendingEntriesCount": NUMBER_TEXT},
                {"consumerGroup": TEXT, "lagCount": NUMBER_TEXT, "activationLagCount": NUMBER_TEXT},
            )
        ]
    },
    "redis": closed(
        {"address": TEXT, "listName": TEXT},
        {
            "listLength": NUMBER_TEXT,
            "activationListLength": NUMBER_TEXT,
            "enableTLS": BOOLEAN_TEXT,
            "databaseIndex": NUMBER_TEXT,
        },
    ),
}
TRIGGER: Schema = {
    "oneOf": [
        closed(
            {"type": {"const": kind}, "metadata": parameters},
            {
                "name": TEXT,
                "metricType": {"enum": ["AverageValue", "Value"]},
                "useCachedMetrics": {"type": "boolean"},
                "authenticationRef": closed(
                    {"name": NAME}, {"kind": {"enum": ["TriggerAuthentication", "ClusterTriggerAuthentication"]}}
                ),
            },
        )
        for kind, parameters in PARAMETERS.items()
    ]
}
SCALED_OBJECT = resource(
    "ScaledObject",
    closed(
        {
            "scaleTargetRef": closed(
                {"name": NAME}, {"apiVersion": TEXT, "kind": TEXT, "envSourceContainerName": TEXT}
            ),
            "triggers": listed(TRIGGER),
        },
        {
            "pollingInterval": {"type": "integer", "minimum": 1},
            "cooldownPeriod": WHOLE,
            "initialCooldownPeriod": WHOLE,
            "idleReplicaCount": {"const": 0},
            "minReplicaCount": WHOLE,
            "maxReplicaCount": {"type": "integer", "minimum": 1},
            "fallback": closed({"failureThreshold": WHOLE, "replicas": WHOLE}, {"behavior": TEXT}),
            "advanced": closed(
                {},
                {
                    "restoreToOriginalReplicaCount": {"type": "boolean"},
                    "horizontalPodAutoscalerConfig": closed(
                        {},
                        {"name": NAME, "behavior": closed({}, {"scaleUp": SCALING_RULES, "scaleDown": SCALING_RULES})},
                    ),
                },
            ),
        },
    ),
)
TRIGGER_AUTHENTICATION = resource(
    "TriggerAuthentication",
    closed(
        {},
        {
            "podIdentity": closed(
                {"provider": {"enum": ["azure-workload", "gcp", "aws", "aws-eks", "none"]}},
                {
                    "roleArn": {"type": "string", "pattern": "^arn:aws[\\w-]*:iam::[0-9]{12}:role/"},
                    "identityOwner": {"enum": ["keda", "workload"]},
                },
            ),
            "secretTargetRef": listed(closed({"parameter": TEXT, "name": NAME, "key": TEXT})),
        },
    ),
)
SCALED_JOB = resource(
    "ScaledJob",
    closed(
        {
            # A JobSpec of Kubernetes; its pod is compared with that of the Deployment.
            "jobTargetRef": closed(
                {"template": {"type": "object"}},
                {
                    "parallelism": WHOLE,
                    "completions": WHOLE,
                    "activeDeadlineSeconds": WHOLE,
                    "backoffLimit": WHOLE,
                    "ttlSecondsAfterFinished": WHOLE,
                },
            ),
            "triggers": listed(TRIGGER),
        },
        {
            "pollingInterval": {"type": "integer", "minimum": 1},
            "successfulJobsHistoryLimit": WHOLE,
            "failedJobsHistoryLimit": WHOLE,
            "envSourceContainerName": TEXT,
            "minReplicaCount": WHOLE,
            "maxReplicaCount": {"type": "integer", "minimum": 1},
            "rollout": closed(
                {"strategy": {"enum": ["default", "gradual"]}},
                {"propagationPolicy": {"enum": ["background", "foreground"]}},
            ),
            "scalingStrategy": closed(
                {"strategy": {"enum": ["default", "custom", "accurate", "eager"]}},
                {
                    "customScalingQueueLengthDeduction": WHOLE,
                    "customScalingRunningJobPercentage": TEXT,
                    "pendingPodConditions": listed(TEXT),
                    "multipleScalersCalculation": {"enum": ["max", "min", "avg", "sum"]},
                },
            ),
        },
    ),
)
SCHEMAS: Mapping[str, Schema] = {
    "ScaledJob": SCALED_JOB,
    "ScaledObject": SCALED_OBJECT,
    "TriggerAuthentication": TRIGGER_AUTHENTICATION,
}
