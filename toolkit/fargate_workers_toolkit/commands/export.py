"""`fargate-workers export ...`."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from fargate_workers_toolkit.errors import ExportError, MissingPackageError
from fargate_workers_toolkit.export import Exported, KnownValues, read_values, read_workers, trust_statements
from fargate_workers_toolkit.export import export as exported

export = typer.Typer(no_args_is_help=True, help="Write what was synthesized for another platform.")

Environment = Annotated[str, typer.Argument(help="The environment: the name of a stage, or of a stack.")]
CdkOut = Annotated[Path, typer.Option("--cdk-out", help="The cloud assembly that `cdk synth` wrote, or one template.")]
Folder = Annotated[Path, typer.Option("--output", "-o", help="The folder for the manifests, one file a worker.")]
Worker = Annotated[str | None, typer.Option("--worker", help="The construct id of the only worker. Default: all.")]
Namespace = Annotated[str, typer.Option(help="The namespace of the manifests.")]
Values = Annotated[
    Path | None,
    typer.Option(
        help="A JSON file with what only a deployment knows: names, addresses, ARNs. What it lacks is listed, and "
        "stands in angle brackets."
    ),
]
Seconds = Annotated[
    float | None, typer.Option(min=0.001, help="What a message takes, in seconds. Default: what the template has.")
]
Messages = Annotated[
    int | None, typer.Option("--messages-per-pod", min=1, help="Messages for each pod, instead of what scaling asks.")
]
Jobs = Annotated[
    bool,
    typer.Option("--jobs", help="Write jobs that end when the queue is empty, for handlers that take hours."),
]
Provider = Annotated[
    str | None,
    typer.Option(
        metavar="ARN", help="The cluster's OIDC provider; writes what each worker's role must trust to trust.json."
    ),
]


@export.callback()
def _export() -> None:
    """Write what was synthesized for another platform."""


@export.command("keda")
def export_keda(
    environment: Environment,
    *,
    cdk_out: CdkOut = Path("cdk.out"),
    output: Folder = Path("k8s"),
    worker: Worker = None,
    namespace: Namespace = "default",
    values: Values = None,
    seconds_per_message: Seconds = None,
    messages_per_pod: Messages = None,
    jobs: Jobs = False,
    oidc_provider: Provider = None,
) -> None:
    """Write the workers of an environment as Deployments, or jobs, that KEDA scales on EKS.

    Ends with 0, with 1 when something only a deployment knows is missing, with 2 for what cannot be exported.
    """
    known = KnownValues({} if values is None else read_values(values))
    found = read_workers(cdk_out, environment, known, name=worker)
    results = [
        exported(
            each,
            known,
            namespace=namespace,
            seconds_a_message=seconds_per_message,
            messages_a_pod=messages_per_pod,
            jobs=jobs,
        )
        for each in found
    ]
    files = dict(_files(results, provider=oidc_provider, namespace=namespace))
    try:
        output.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (output / name).write_text(content, encoding="utf-8")
    except OSError as error:
        raise ExportError(f"{output} cannot be written: {error.strerror}.") from None
    for name in files:
        sys.stdout.write(f"{output / name}\n")
    for result in results:
        for note in result.notes:
            sys.stdout.write(f"{note}\n")
    if known.missing:
        sys.stdout.write(_missing(known))
        raise typer.Exit(1)


def _files(results: list[Exported], *, provider: str | None, namespace: str) -> Iterator[tuple[str, str]]:
    for result in results:
        yield f"{result.worker.name}.yaml", as_yaml(result.manifests)
    if provider is not None:
        trusts: Mapping[str, Any] = {
            result.worker.path: trust_statements(result.worker, provider=provider, namespace=namespace)
            for result in results
        }
        yield "trust.json", json.dumps(trusts, indent=2) + "\n"


def as_yaml(manifests: tuple[Mapping[str, Any], ...]) -> str:
    """Manifests as one YAML file.

    Args:
        manifests: The manifests.

    Raises:
        MissingPackageError: PyYAML is not installed.
    """
    try:
        import yaml  # noqa: PLC0415  the list of commands does without it
    except ImportError as error:
        raise MissingPackageError.of(error) from error
    return yaml.dump_all(
        # Without names for what occurs twice, which nobody wants to read.
        json.loads(json.dumps(manifests)),
        sort_keys=False,
        default_flow_style=False,
        width=120,
    )


def _missing(known: KnownValues) -> str:
    example = dict.fromkeys(sorted(known.missing), "...")
    return (
        "Only a deployment knows these; put them into a file for --values. What `Ref` gives is the physical id in "
        f"`aws cloudformation describe-stack-resources --stack-name STACK`.\n{json.dumps(example, indent=2)}\n"
    )
