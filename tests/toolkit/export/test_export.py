"""What KEDA and Kubernetes get: golden files, KEDA's schema closed, the arithmetic, and what cannot be exported.

The golden files are refreshed by: python -m tests.toolkit.export.test_export
"""

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jsonschema_rs
import pytest
import yaml
from typer.testing import CliRunner

from fargate_workers_toolkit.command import app
from fargate_workers_toolkit.errors import ExportError
from fargate_workers_toolkit.export import KnownValues, export, grace, messages_for_a_pod, read_workers
from tests.toolkit.export.assemblies import (
    KAFKA,
    KEPT_STREAM,
    LIST,
    ON_BACKLOG,
    ON_DEPTH,
    SQS,
    STREAM,
    VALUES,
    assembly,
)
from tests.toolkit.export.keda_schemas import SCHEMAS

GOLDEN = Path(__file__).parent / "golden"
SOURCES: Mapping[str, Mapping[str, Any]] = {
    "sqs": SQS,
    "kafka": KAFKA,
    "redis-stream": STREAM,
    "redis-stream-kept": KEPT_STREAM,
    "redis-list": LIST,
}
RUN = CliRunner()
JOBS = "sqs-jobs"


def manifests(folder: Path, source: Mapping[str, Any] = SQS, **options: Any) -> dict[str, Any]:
    known = KnownValues(VALUES)
    [worker] = read_workers(assembly(folder, source, **options), "prod", known)
    found = {each["kind"]: each for each in export(worker, known).manifests}
    assert known.missing == set()
    return found


def written(folder: Path, source: Mapping[str, Any], *words: str) -> str:
    values = folder / "values.json"
    values.parent.mkdir(exist_ok=True, parents=True)
    values.write_text(json.dumps(VALUES))
    where = ["--cdk-out", str(assembly(folder / "cdk.out", source)), "--output", str(folder / "k8s")]
    result = RUN.invoke(app, ["export", "keda", "prod", *where, "--values", str(values), *words])
    assert result.exit_code == 0, result.output
    return (folder / "k8s" / "apply-orders.yaml").read_text()


@pytest.mark.parametrize("name", SOURCES)
def test_the_files_are_the_golden_ones(name: str, tmp_path: Path) -> None:
    refresh = "python -m tests.toolkit.export.test_export"
    assert written(tmp_path, SOURCES[name]) == (GOLDEN / f"{name}.yaml").read_text(), f"Refresh them with: {refresh}"


def test_the_file_of_jobs_is_the_golden_one(tmp_path: Path) -> None:
    assert written(tmp_path, SQS, "--jobs") == (GOLDEN / f"{JOBS}.yaml").read_text()


@pytest.mark.parametrize("name", SOURCES)
def test_keda_knows_every_key(name: str, tmp_path: Path) -> None:
    documents = list(yaml.safe_load_all(written(tmp_path, SOURCES[name])))
    seen = [document["kind"] for document in documents if document["kind"] in SCHEMAS]

    for document in documents:
        if document["kind"] in SCHEMAS:
            jsonschema_rs.validator_for(SCHEMAS[document["kind"]]).validate(document)
    assert seen == ["TriggerAuthentication", "ScaledObject"]


def test_a_job_is_the_same_pod_that_ends_when_the_queue_is_empty(tmp_path: Path) -> None:
    documents = {each["kind"]: each for each in yaml.safe_load_all(written(tmp_path, SQS, "--jobs"))}
    deployment = manifests(tmp_path)["Deployment"]["spec"]["template"]["spec"]
    pod = documents["ScaledJob"]["spec"]["jobTargetRef"]["template"]["spec"]
    variables = {each["name"]: each.get("value") for each in pod["containers"][0]["env"]}

    jsonschema_rs.validator_for(SCHEMAS["ScaledJob"]).validate(documents["ScaledJob"])
    assert list(documents) == ["ServiceAccount", "TriggerAuthentication", "ScaledJob"]
    assert pod["restartPolicy"] == "Never"
    assert pod["containers"][0]["image"] == deployment["containers"][0]["image"]
    assert (variables["UNTIL_EMPTY"], variables["PROCESSES"]) == ("true", "1")


def test_only_a_queue_can_be_empty(tmp_path: Path) -> None:
    [worker] = read_workers(assembly(tmp_path, KAFKA), "prod", known := KnownValues(VALUES))

    with pytest.raises(ExportError, match="drains no queue, and only a queue can be empty; export it without --jobs"):
        export(worker, known, jobs=True)


def test_the_schema_refuses_a_misspelt_key_and_a_number_for_a_text(tmp_path: Path) -> None:
    scaled = json.loads(json.dumps(manifests(tmp_path)["ScaledObject"]))
    validator = jsonschema_rs.validator_for(SCHEMAS["ScaledObject"])
    misspelt, numeric = json.loads(json.dumps(scaled)), json.loads(json.dumps(scaled))
    misspelt["spec"]["minReplicasCount"] = misspelt["spec"].pop("minReplicaCount")
    numeric["spec"]["triggers"][0]["metadata"]["queueLength"] = 10

    assert [validator.is_valid(each) for each in (scaled, misspelt, numeric)] == [True, False, False]


def test_the_pod_is_the_container_of_the_task(tmp_path: Path) -> None:
    spec = manifests(tmp_path)["Deployment"]["spec"]["template"]["spec"]
    [container] = spec["containers"]
    variables = {each["name"]: each.get("value") for each in container["env"]}

    assert container["image"] == "111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop:1"
    assert (container.get("command"), container["args"]) == (None, ["python", "-m", "shop.apply_orders"])
    assert container["resources"]["limits"] == {"cpu": "250m", "memory": "512Mi"}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert (spec["securityContext"]["runAsUser"], spec["securityContext"]["runAsNonRoot"]) == (10001, True)
    assert spec["nodeSelector"] == {"kubernetes.io/arch": "arm64"}
    assert container["livenessProbe"]["exec"]["command"] == [
        "/bin/sh",
        "-c",
        "python -m fargate_workers_runtime.health || [ $? -ne 3 ]",
    ]
    assert variables["QUEUE_URL"] == VALUES["prod-Shop/Queue"]
    assert variables["QUEUE_NAME"] == "orders"
    assert variables["AWS_REGION"] == "eu-west-1"


def test_the_account_of_the_pod_has_the_role_of_the_task_and_so_has_keda(tmp_path: Path) -> None:
    found = manifests(tmp_path)
    role = "arn:aws:iam::111122223333:role/shop-apply-orders"

    assert found["ServiceAccount"]["metadata"]["annotations"]["eks.amazonaws.com/role-arn"] == role
    assert found["TriggerAuthentication"]["spec"]["podIdentity"] == {"provider": "aws", "roleArn": role}


def test_a_pod_has_the_time_for_its_longest_handler(tmp_path: Path) -> None:
    pod = manifests(tmp_path)["Deployment"]["spec"]["template"]["spec"]
    variables = {each["name"]: each.get("value") for each in pod["containers"][0]["env"]}

    assert pod["terminationGracePeriodSeconds"] == 900 + 15
    assert variables["STOP_TIMEOUT_SECONDS"] == "915"


def test_handlers_beyond_an_hour_ask_that_their_pod_is_spared(tmp_path: Path) -> None:
    found = manifests(tmp_path, MAX_PROCESSING_SECONDS="7200")
    pod = found["Deployment"]["spec"]["template"]["spec"]

    assert pod["terminationGracePeriodSeconds"] == 3_600
    assert found["Role"]["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["patch"]}]
    assert found["RoleBinding"]["subjects"] == [
        {"kind": "ServiceAccount", "name": "apply-orders", "namespace": "default"}
    ]
    assert {"POD_NAME", "POD_NAMESPACE"} <= {each["name"] for each in pod["containers"][0]["env"]}
    assert "Role" not in manifests(tmp_path)


@pytest.mark.parametrize(("seconds", "messages"), [(None, 1_200), (2, 300), (0.0001, 6_000_000), (100_000, 1)])
def test_a_pod_gets_the_messages_that_it_works_off_in_time(
    seconds: float | None, messages: int, tmp_path: Path
) -> None:
    """A fifth of 300 s x 10 at once / 0.5 s a message."""
    [worker] = read_workers(assembly(tmp_path), "prod", KnownValues())

    assert messages_for_a_pod(worker, seconds) == messages


def test_a_backlog_per_task_is_one_per_pod(tmp_path: Path) -> None:
    [trigger] = manifests(tmp_path, policy=ON_BACKLOG)["ScaledObject"]["spec"]["triggers"]

    assert trigger["metadata"]["queueLength"] == "100"


def test_the_bounds_are_those_of_the_service_and_a_stream_whose_entries_go_does_not_sleep(tmp_path: Path) -> None:
    def bounds(source: Mapping[str, Any]) -> tuple[int, int]:
        spec = manifests(tmp_path, source)["ScaledObject"]["spec"]
        return spec["minReplicaCount"], spec["maxReplicaCount"]

    assert [bounds(source) for source in (SQS, STREAM, KEPT_STREAM)] == [(0, 40), (1, 40), (0, 40)]


def test_a_topic_is_read_from_the_earliest_record_by_the_role(tmp_path: Path) -> None:
    [trigger] = manifests(tmp_path, KAFKA)["ScaledObject"]["spec"]["triggers"]

    assert trigger["metadata"] == {
        "bootstrapServers": "b-1.example.com:9098,b-2.example.com:9098",
        "consumerGroup": "ApplyOrders",
        "topic": "orders",
        "lagThreshold": "1200",
        "offsetResetPolicy": "earliest",
        "ensureEvenDistributionOfPartitions": "true",
        "tls": "enable",
        "sasl": "oauthbearer",
        "saslTokenProvider": "aws_msk_iam",
        "awsRegion": "eu-west-1",
    }


def triggers(folder: Path, source: Mapping[str, Any]) -> list[tuple[str, dict[str, str]]]:
    """What the triggers of a source differ in: their types, and their parameters without the connection's."""
    connection = ("bootstrapServers", "address", "enableTLS", "tls", "sasl", "saslTokenProvider", "awsRegion")
    return [
        (each["type"], {name: text for name, text in each["metadata"].items() if name not in connection})
        for each in manifests(folder, source)["ScaledObject"]["spec"]["triggers"]
    ]


def test_a_retry_topic_wakes_pods_as_well(tmp_path: Path) -> None:
    found = triggers(tmp_path, {**KAFKA, "KAFKA_RETRY_TOPIC": "orders.ApplyOrders.retries"})

    assert [metadata["topic"] for _, metadata in found] == ["orders", "orders.ApplyOrders.retries"]
    assert {metadata["consumerGroup"] for _, metadata in found} == {"ApplyOrders"}


def test_a_stream_whose_entries_go_is_counted_by_its_length_which_needs_no_group(tmp_path: Path) -> None:
    assert triggers(tmp_path, STREAM) == [("redis-streams", {"stream": "orders", "streamLength": "1200"})]


def test_a_kept_stream_is_counted_by_what_is_new_what_is_pending_and_what_comes_later(tmp_path: Path) -> None:
    group = {"stream": "orders", "consumerGroup": "apply"}

    assert triggers(tmp_path, KEPT_STREAM) == [
        ("redis-streams", group | {"lagCount": "1200", "activationLagCount": "0"}),
        ("redis-streams", group | {"pendingEntriesCount": "1200"}),
        ("redis", {"listName": "orders:later:apply", "listLength": "1200"}),
    ]


@pytest.mark.parametrize(
    ("delivery", "keys"), [("at-least-once", ["orders", "orders:leases"]), ("at-most-once", ["orders"])]
)
def test_a_list_is_counted_with_what_is_leased(tmp_path: Path, delivery: str, keys: list[str]) -> None:
    found = triggers(tmp_path, {**LIST, "LIST_DELIVERY": delivery})

    assert [metadata["listName"] for _, metadata in found] == keys


def test_secrets_are_named_and_never_written(tmp_path: Path) -> None:
    secret = {"Name": "API_KEY", "ValueFrom": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:api"}
    known = KnownValues(VALUES)
    [worker] = read_workers(assembly(tmp_path, container={"Secrets": [secret]}), "prod", known)
    result = export(worker, known)
    [variable] = [
        each
        for manifest in result.manifests
        if manifest["kind"] == "Deployment"
        for each in manifest["spec"]["template"]["spec"]["containers"][0]["env"]
        if each["name"] == "API_KEY"
    ]

    assert variable["valueFrom"] == {"secretKeyRef": {"name": "apply-orders-secrets", "key": "API_KEY"}}
    assert result.notes == (
        f"apply-orders: make a Secret apply-orders-secrets with API_KEY from {secret['ValueFrom']}.",
    )


def test_what_only_a_deployment_knows_is_listed_and_ends_with_1(tmp_path: Path) -> None:
    where = ["--cdk-out", str(assembly(tmp_path / "cdk.out")), "--output", str(tmp_path / "k8s")]
    result = RUN.invoke(app, ["export", "keda", "prod", *where])
    listed = json.loads(result.stdout[result.stdout.index("{") :])

    assert result.exit_code == 1
    assert set(listed) == {"prod-Shop/Queue", "prod-Shop/Role"}
    assert "queueURL: <prod-Shop/Queue>" in (tmp_path / "k8s" / "apply-orders.yaml").read_text()


def test_the_trust_of_the_role_names_the_pod_and_keda(tmp_path: Path) -> None:
    provider = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC"
    where = ["--cdk-out", str(assembly(tmp_path / "cdk.out")), "--output", str(tmp_path / "k8s")]
    RUN.invoke(app, ["export", "keda", "prod", *where, "--oidc-provider", provider, "--namespace", "shop"])
    trust = json.loads((tmp_path / "k8s" / "trust.json").read_text())["prod/Shop/ApplyOrders"]
    key = "oidc.eks.eu-west-1.amazonaws.com/id/ABC:sub"

    assert [each["Condition"]["StringEquals"][key] for each in trust] == [
        "system:serviceaccount:shop:apply-orders",
        "system:serviceaccount:keda:keda-operator",
    ]


@pytest.mark.parametrize(
    ("options", "words", "sentence"),
    [
        (
            {"policy": ON_DEPTH},
            ["prod"],
            "prod/Shop/ApplyOrders scales by steps, and KEDA by messages for each pod; give that number with "
            "--messages-per-pod.",
        ),
        ({}, ["staging"], "{cdk_out} has no worker of staging; it has those of: prod."),
        ({}, ["prod", "--worker", "Mail"], "{cdk_out} has no worker Mail in prod; its workers: ApplyOrders."),
        (
            {"source": {"BROKER": "pigeon"}},
            ["prod"],
            "prod/Shop/ApplyOrders drains pigeon, for which KEDA has no scaler here; keep it on ECS.",
        ),
        ({}, ["prod", "--values", "missing.json"], "missing.json cannot be read: No such file or directory."),
    ],
)
def test_what_cannot_be_exported_is_one_sentence(
    options: dict[str, Any], words: list[str], sentence: str, tmp_path: Path
) -> None:
    cdk_out = assembly(tmp_path / "cdk.out", **options)
    result = RUN.invoke(app, ["export", "keda", *words, "--cdk-out", str(cdk_out), "-o", str(tmp_path / "k8s")])

    assert (result.exit_code, result.stderr) == (2, sentence.format(cdk_out=cdk_out) + "\n")
    assert not (tmp_path / "k8s").exists()


def test_steps_are_exported_with_a_number_of_messages(tmp_path: Path) -> None:
    known = KnownValues(VALUES)
    [worker] = read_workers(assembly(tmp_path, policy=ON_DEPTH), "prod", known)
    [scaled] = [each for each in export(worker, known, messages_a_pod=50).manifests if each["kind"] == "ScaledObject"]

    assert scaled["spec"]["triggers"][0]["metadata"]["queueLength"] == "50"


def test_the_stop_is_never_shorter_than_on_ecs(tmp_path: Path) -> None:
    [worker] = read_workers(assembly(tmp_path, MAX_PROCESSING_SECONDS="20"), "prod", KnownValues())

    assert grace(worker) == 120


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for each, variables in SOURCES.items():
        with TemporaryDirectory() as folder:
            (GOLDEN / f"{each}.yaml").write_text(written(Path(folder), variables))
    with TemporaryDirectory() as folder:
        (GOLDEN / f"{JOBS}.yaml").write_text(written(Path(folder), SQS, "--jobs"))
