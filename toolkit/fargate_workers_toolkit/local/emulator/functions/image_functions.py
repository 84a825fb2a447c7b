"""Functions of a container image: local processes with the image's packages, as tasks are."""

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from fargate_workers_toolkit.errors import LocalError
from fargate_workers_toolkit.local.emulator.ministack_parts import lambda_service
from fargate_workers_toolkit.local.emulator.processes import runtime_client
from fargate_workers_toolkit.local.emulator.processes.containers import Container, Containers
from fargate_workers_toolkit.local.emulator.processes.execution_environment import ExecutionEnvironment

#: AWS's runtime client, which is not installed on every machine.
RUNTIME_CLIENT = ["python", "-m", "awslambdaric"]

Record = Mapping[str, Any]


@dataclass(eq=False, kw_only=True)
class _Known:
    """An environment, and what it was made of: a function that changed gets new ones."""

    environment: ExecutionEnvironment
    made_of: str
    busy: bool = True


class ImageFunctions:
    """The execution of functions of an image in place of MiniStack's, which asks Docker.

    Args:
        containers: Starts processes.
    """

    def __init__(self, containers: Containers) -> None:
        self._containers = containers
        self._lock = threading.Lock()
        self._environments: dict[str, list[_Known]] = {}

    def install(self) -> None:
        """Put it into MiniStack."""
        by_docker = lambda_service._execute_function_docker
        run_batch = lambda_service._run_sqs_batch

        def execute(function: Record, event: object, id: str) -> dict[str, Any]:
            configuration = cast("Record", function.get("config") or function)
            if configuration.get("PackageType") != "Image":
                return by_docker(function, event, id)
            return self.execute(configuration, event, id)

        def run(mapping: Record, *arguments: Any) -> None:
            begun = time.time()
            run_batch(mapping, *arguments)
            # MiniStack counts what is invoked by its API, and not what mappings invoke.
            lambda_service._emit_lambda_metrics(
                mapping["FunctionName"],
                duration_ms=1000 * (time.time() - begun),
                error=mapping["LastProcessingResult"] == "FAILED",
                throttle=False,
            )

        lambda_service._execute_function_docker = execute
        lambda_service._run_sqs_batch = run

    def execute(self, configuration: Record, event: object, id: str) -> dict[str, Any]:
        """Run one invocation.

        Args:
            configuration: The function, as GetFunctionConfiguration has it.
            event: The event.
            id: The id of the invocation.

        Returns:
            The answer as MiniStack's executors give it.
        """
        try:
            known = self._take(configuration)
        except (LocalError, OSError) as error:
            return {"body": {"errorType": type(error).__name__, "errorMessage": str(error)}, "error": True}
        environment = known.environment
        try:
            succeeded, answer = environment.invoke(event, id=id, timeout=float(configuration["Timeout"]))
        finally:
            self._return(configuration["FunctionName"], known)
        log = "\n".join(environment.new_lines())
        return {"body": answer, "log": log, **({} if succeeded else {"error": True})}

    def _take(self, configuration: Record) -> _Known:
        """An idle environment of the function, or a new one."""
        made_of = json.dumps([configuration.get(name) for name in ("ImageUri", "ImageConfigResponse", "Environment")])
        with self._lock:
            all_ = self._environments.setdefault(configuration["FunctionName"], [])
            for known in [known for known in all_ if not known.busy]:
                if known.made_of == made_of and known.environment.is_running:
                    known.busy = True
                    return known
                all_.remove(known)
                known.environment.end()
        environment = ExecutionEnvironment(
            lambda address: self._start(configuration, address), arn=configuration["FunctionArn"]
        )
        known = _Known(environment=environment, made_of=made_of)
        with self._lock:
            all_.append(known)
        return known

    def _return(self, name: str, known: _Known) -> None:
        with self._lock:
            known.busy = False
            if not known.environment.is_running:
                self._environments[name].remove(known)

    def _start(self, configuration: Record, address: str) -> Container:
        answered = cast("Record", configuration.get("ImageConfigResponse") or {})
        image = cast("Record", answered.get("ImageConfig") or {})
        entry_point = cast("list[str]", image.get("EntryPoint") or [])
        command = cast("list[str]", image.get("Command") or [])
        if entry_point == RUNTIME_CLIENT:
            entry_point = ["python", str(Path(runtime_client.__file__).resolve())]
        environment = cast("Record", configuration.get("Environment") or {})
        variables = cast("Mapping[str, str]", environment.get("Variables") or {})
        return self._containers.run_function(
            configuration["ImageUri"],
            entry_point=entry_point,
            command=command,
            name=configuration["FunctionName"],
            environment={
                **variables,
                "AWS_LAMBDA_RUNTIME_API": address,
                "AWS_LAMBDA_FUNCTION_NAME": configuration["FunctionName"],
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration["MemorySize"]),
            },
        )
