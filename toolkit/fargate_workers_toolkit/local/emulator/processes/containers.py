"""Containers as local processes, in the shape of the docker package that MiniStack imports.

Only what MiniStack calls is here. A task's container is the program of its image (programs.py), run with the
environment, command, health check and stop timeout of the synthesized task definition.
"""

import re
import sys
import threading
import types
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fargate_workers_toolkit.errors import LocalError
from fargate_workers_toolkit.local.emulator.ministack_parts import ecs, msk
from fargate_workers_toolkit.local.emulator.processes.local_process import LocalProcess
from fargate_workers_toolkit.local.emulator.processes.programs import Program, UnknownImageError, find_program
from fargate_workers_toolkit.local.emulator.processes.reaper import Reaper
from fargate_workers_toolkit.local.emulator.settings import Settings

DEFAULT_STOP_TIMEOUT = 30


class DockerError(LocalError):
    """The docker package's errors, as far as MiniStack distinguishes them."""


class NotFoundError(DockerError):
    """No such container or image."""


class Container:
    """One running or ended process under a container's name. Its companions go when it is removed.

    Args:
        process: The process.
        id: The id of the container.
        name: Its name.
        labels: Its labels.
        stop_timeout: How long it may take to stop, in seconds.
        environment: Its variables.
        on_removal: Called when it is removed.
    """

    def __init__(
        self,
        process: LocalProcess,
        *,
        id: str,
        name: str,
        labels: Mapping[str, str],
        stop_timeout: float,
        environment: Mapping[str, str],
        on_removal: Callable[[], object],
    ) -> None:
        self.process = process
        self.id = id
        self.short_id = id[:12]
        self.name = name
        self.labels = dict(labels)
        self.environment = environment
        self._stop_timeout = stop_timeout
        self._on_removal = on_removal
        self.companions: list[Container] = []

    @property
    def status(self) -> str:
        """`running` or `exited`."""
        return "running" if self.process.is_running else "exited"

    @property
    def attrs(self) -> dict[str, Any]:
        """What docker knows of it: addresses and labels."""
        return {"NetworkSettings": {"Networks": {"loopback": {"IPAddress": "127.0.0.1"}}}, "Labels": self.labels}

    def reload(self) -> None:
        """Nothing is cached."""

    def wait(self, timeout: float | None = None, **_: object) -> dict[str, int]:
        """Wait until it ends; return its exit code."""
        return {"StatusCode": self.process.wait(timeout)}

    def stop(self, timeout: float | None = None) -> int:  # noqa: ARG002 the task definition's own timeout counts
        """Stop it within the timeout of its task definition; return its exit code."""
        return self.process.stop(timeout=self._stop_timeout)

    def remove(self, **_: object) -> None:
        """End it if it runs, and its companions."""
        if self.process.is_running:
            self.process.kill()
        self._on_removal()
        for companion in self.companions:
            companion.remove()

    def logs(self, *, stream: bool = False, follow: bool = False, **_: object) -> bytes | Iterator[bytes]:
        """Return what it wrote."""
        return self.process.lines(follow=follow) if stream else self.process.log.read_bytes()


class Containers:
    """docker's `client.containers`.

    Args:
        settings: The launcher's settings.
        reaper: Ends what outlives the launcher.
    """

    def __init__(self, settings: Settings, *, reaper: Reaper) -> None:
        self._settings = settings
        self._reaper = reaper
        self._running: dict[str, Container] = {}
        self._lock = threading.Lock()

    def run(
        self,
        image: str,
        *,
        command: Sequence[str] | None = None,
        environment: Mapping[str, str] | None = None,
        name: str = "",
        labels: Mapping[str, str] | None = None,
        **_: object,
    ) -> Container:
        """Start the program of a task's image.

        Args:
            image: The image; an asset of the assembly.
            command: Its arguments. Defaults to those of the image.
            environment: The task's variables. Defaults to none.
            name: The container's name. Defaults to none.
            labels: Labels that name the task and its definition.
        """
        labels = labels or {}
        definition = _container_definition(labels)
        program = find_program(self._settings.assembly, image)
        directory = self._new_directory((environment or {}).get("WORKER_NAME") or definition["name"])
        entrypoint = definition.get("entryPoint") or program.entrypoint
        arguments = [*entrypoint, *(command or (() if definition.get("entryPoint") else program.command))]
        return self.start(
            [self._executable(arguments[0]), *arguments[1:]],
            directory=directory,
            cwd=program.folder,
            environment=self._environment(program, environment or {}, definition, directory),
            name=name,
            labels=labels,
            stop_timeout=float(definition.get("stopTimeout", DEFAULT_STOP_TIMEOUT)),
        )

    def run_function(
        self,
        image: str,
        *,
        entry_point: Sequence[str],
        command: Sequence[str],
        name: str,
        environment: Mapping[str, str],
    ) -> Container:
        """Start the program of a function's image.

        Args:
            image: The image; an asset of the assembly.
            entry_point: The function's own entry point; that of the image if it is empty.
            command: Its arguments.
            name: The name of the function.
            environment: Its variables.
        """
        program = find_program(self._settings.assembly, image)
        directory = self._new_directory(environment.get("WORKER_NAME") or name)
        arguments = [*(entry_point or program.entrypoint), *(command or program.command)]
        variables = self._environment(program, environment, {"taskId": name}, directory)
        del variables["ECS_AGENT_URI"]
        return self.start(
            [self._executable(arguments[0]), *arguments[1:]],
            directory=directory,
            cwd=program.folder,
            environment=variables,
            name=name,
        )

    def start(
        self,
        arguments: Sequence[str],
        *,
        name: str,
        directory: Path | None = None,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        stop_timeout: float = 2,
        user: str | None = None,
        quits: bool = False,
    ) -> Container:
        """Start any program under a container's name.

        Args:
            arguments: The program and its arguments.
            name: The container's name.
            directory: The folder of its log. Defaults to a new one.
            cwd: The folder that it runs in. Defaults to `directory`.
            environment: Its variables. Defaults to none.
            labels: Its labels. Defaults to none.
            stop_timeout: How long it may take to stop, in seconds. Defaults to 2 s.
            user: The user that it runs as, for programs that refuse root. Defaults to the launcher's own.
            quits: Whether SIGQUIT ends it at once, and its own processes with it. Defaults to False.
        """
        directory = directory or self._new_directory(name)
        environment = environment or {}
        process = LocalProcess(
            arguments,
            directory=directory,
            environment=environment,
            cwd=cwd or directory,
            reaper=self._reaper,
            user=user,
            quits=quits,
        )
        container = Container(
            process,
            id=uuid.uuid4().hex,
            name=name,
            labels=labels or {},
            stop_timeout=stop_timeout,
            environment=environment,
            on_removal=lambda: self._forget(container.id),
        )
        with self._lock:
            self._running[container.id] = container
        return container

    def get(self, reference: str) -> Container:
        """Return a container by its id or name.

        Raises:
            NotFoundError: There is none.
        """
        for container in self.list():
            if reference and reference in (container.id, container.name, container.short_id):
                return container
        raise NotFoundError(reference)

    def list(self, **_: object) -> list[Container]:
        """Return every container that was not removed."""
        with self._lock:
            return list(self._running.values())

    def run_inside(self, container: Container, arguments: Sequence[str]) -> LocalProcess:
        """Run a command as `docker exec` does: with the container's environment.

        Args:
            container: The container.
            arguments: The command and its arguments.
        """
        directory = container.process.directory / "health"
        directory.mkdir(exist_ok=True)
        return LocalProcess(
            [self._executable(arguments[0]), *arguments[1:]],
            directory=directory,
            environment=container.environment,
            cwd=directory,
            reaper=self._reaper,
        )

    def kill_all(self) -> None:
        """End every process at once, when the launcher itself ends."""
        for container in self.list():
            container.remove()

    def _forget(self, id: str) -> None:
        with self._lock:
            self._running.pop(id, None)

    def _new_directory(self, program: str) -> Path:
        # People look for a log by this name; short, because it becomes part of the paths of sockets.
        name = re.sub(r"[^A-Za-z0-9]+", "-", program.rpartition("/")[2])[:20].strip("-")
        directory = self._settings.containers / f"{name}-{uuid.uuid4().hex[:8]}"
        (directory / "tmp").mkdir(parents=True)
        return directory

    def _executable(self, name: str) -> str:
        return str(self._settings.python) if name in ("python", "python3") else name

    def _environment(
        self, program: Program, task: Mapping[str, str], definition: Mapping[str, Any], directory: Path
    ) -> dict[str, str]:
        """The image's and the task's variables; a path on a mounted volume becomes one in the container's directory."""
        mounts: list[Mapping[str, str]] = definition.get("mountPoints") or []
        volumes = [mount["containerPath"] for mount in mounts]
        for volume in volumes:
            (directory / volume.lstrip("/")).mkdir(parents=True, exist_ok=True)
        image = {name: program.local_path(value) for name, value in program.environment.items() if name != "PATH"}
        settings = self._settings
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": str(directory),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": str(program.folder),
            **image,
            **{name: _local_value(str(value), volumes, directory) for name, value in task.items()},
            **_kafka_here(task),
            "TMPDIR": str(directory / "tmp"),
            "AWS_ENDPOINT_URL": settings.endpoint,
            "AWS_REGION": settings.region,
            "AWS_DEFAULT_REGION": settings.region,
            "AWS_ACCESS_KEY_ID": settings.account,
            "AWS_SECRET_ACCESS_KEY": "local",
            # The runtime writes its metrics once a minute; the minutes of the clock are shorter.
            "METRICS_SECONDS": str(settings.metrics_seconds),
            "ECS_AGENT_URI": f"{settings.endpoint}/_local/agent/{definition['taskId']}",
            # A proxy that the task is given has no way to this machine's loopback, where its AWS is.
            **dict.fromkeys(("NO_PROXY", "no_proxy"), "*"),
            "SSL_CERT_FILE": str(settings.directory / "certificates" / "ca.pem"),
            "DATABASE_CA_FILE": str(settings.directory / "certificates" / "ca.pem"),
        }


def _kafka_here(task: Mapping[str, str]) -> dict[str, str]:
    """The variables by which a task reaches the local broker, which speaks neither TLS nor SASL."""
    arn = task.get("KAFKA_CLUSTER_ARN")
    if not arn:
        return {}
    address = msk._bootstrap_strings(arn.split("/")[1])["BootstrapBrokerString"]
    return {
        "KAFKA_AUTHENTICATION": "plaintext",
        "KAFKA_BOOTSTRAP_SERVERS": address,
        "KAFKA_CLUSTER_ARN": "",
        # Nobody waits 45 seconds here until the partitions of a killed task have another owner.
        "KAFKA_SESSION_TIMEOUT_SECONDS": "6",
    }


def _local_value(value: str, volumes: Sequence[str], directory: Path) -> str:
    for volume in volumes:
        if value == volume or value.startswith(f"{volume}/"):
            return f"{directory}{value}"
    # MiniStack's way for a container to reach the machine it runs on.
    return value.replace("host.docker.internal", "127.0.0.1")


def _container_definition(labels: Mapping[str, str]) -> dict[str, Any]:
    """Look up what `run` does not receive in the task definition that the labels name."""
    family, version = (labels[f"com.amazonaws.ecs.task-definition-{part}"] for part in ("family", "version"))
    name = labels["com.amazonaws.ecs.container-name"]
    definitions = ecs._task_defs[f"{family}:{version}"]["containerDefinitions"]
    task_id = labels["com.amazonaws.ecs.task-arn"].rsplit("/", 1)[-1]
    return {**next(item for item in definitions if item["name"] == name), "taskId": task_id}


class Image:
    """docker's image, of which MiniStack reads only the id.

    Args:
        id: Its digest.
    """

    def __init__(self, id: str) -> None:
        self.id = id

    def tag(self, *_: object, **__: object) -> bool:
        """Tags mean nothing here."""
        return True


class Images:
    """docker's `client.images`: the assembly is the registry, and an asset's hash the digest.

    Args:
        settings: The launcher's settings.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def get_registry_data(self, image: str, **_: object) -> Image:
        """Return an image.

        Raises:
            NotFoundError: It is no asset of the assembly.
        """
        try:
            find_program(self._settings.assembly, image)
        except UnknownImageError as error:
            raise NotFoundError(str(error)) from None
        return Image(f"sha256:{image.rsplit(':', 1)[-1]}")

    get = pull = get_registry_data


def install(settings: Settings, *, reaper: Reaper) -> Containers:
    """Put the stand-in where MiniStack's `import docker` finds it.

    Args:
        settings: The launcher's settings.
        reaper: Ends what outlives the launcher.

    Returns:
        The containers.
    """
    containers = Containers(settings, reaper=reaper)
    client = types.SimpleNamespace(containers=containers, images=Images(settings))

    def from_env(**_: object) -> types.SimpleNamespace:
        return client

    errors: Any = types.ModuleType("docker.errors")
    errors.DockerException = errors.APIError = DockerError
    errors.NotFound = errors.ImageNotFound = NotFoundError
    docker: Any = types.ModuleType("docker")
    docker.errors = errors
    docker.from_env = from_env
    sys.modules.update({"docker": docker, "docker.errors": errors})
    return containers
