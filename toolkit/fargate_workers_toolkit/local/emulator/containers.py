"""Containers as local processes, in the shape of the docker package that MiniStack imports.

Only what MiniStack calls is here. A task's container is the program of its image (programs.py), run with the
environment, command, health check and stop timeout of the synthesized task definition.
"""

import sys
import threading
import types
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fargate_workers_toolkit.local.emulator.local_process import LocalProcess
from fargate_workers_toolkit.local.emulator.ministack_parts import ecs
from fargate_workers_toolkit.local.emulator.programs import Program, UnknownImageError, find_program
from fargate_workers_toolkit.local.emulator.reaper import Reaper
from fargate_workers_toolkit.local.emulator.settings import ACCOUNT, Settings

DEFAULT_STOP_TIMEOUT = 30


class DockerError(Exception):
    """The docker package's errors, as far as MiniStack tells them apart."""


class NotFoundError(DockerError):
    """No such container or image."""


class Container:
    """One running (or ended) process under a container's name. Its companions go when it is removed."""

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
        return "running" if self.process.is_running else "exited"

    @property
    def attrs(self) -> dict[str, Any]:
        """The addresses docker would know."""
        return {"NetworkSettings": {"Networks": {"loopback": {"IPAddress": "127.0.0.1"}}}, "Labels": self.labels}

    def reload(self) -> None:
        """Nothing is cached."""

    def wait(self, timeout: float | None = None, **_: object) -> dict[str, int]:
        return {"StatusCode": self.process.wait(timeout)}

    def stop(self, timeout: float | None = None) -> int:  # noqa: ARG002 the task definition's own timeout counts
        return self.process.stop(timeout=self._stop_timeout)

    def remove(self, **_: object) -> None:
        if self.process.is_running:
            self.process.kill()
        self._on_removal()
        for companion in self.companions:
            companion.remove()

    def logs(self, *, stream: bool = False, follow: bool = False, **_: object) -> bytes | Iterator[bytes]:
        return self.process.lines(follow=follow) if stream else self.process.log.read_bytes()


class Containers:
    """docker's `client.containers`."""

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
        """Starts the program of a task's image."""
        labels = labels or {}
        definition = _container_definition(labels)
        program = find_program(self._settings.assembly, image)
        directory = self._new_directory()
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
    ) -> Container:
        """Starts any program under a container's name."""
        directory = directory or self._new_directory()
        environment = environment or {}
        process = LocalProcess(
            arguments, directory=directory, environment=environment, cwd=cwd or directory, reaper=self._reaper
        )
        container = Container(
            process,
            id=directory.name + uuid.uuid4().hex,
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
        for container in self.list():
            if reference and reference in (container.id, container.name, container.short_id):
                return container
        raise NotFoundError(reference)

    def list(self, **_: object) -> list[Container]:
        with self._lock:
            return list(self._running.values())

    def run_inside(self, container: Container, arguments: Sequence[str]) -> LocalProcess:
        """Runs a command as `docker exec` would: the container's environment and folder."""
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
        """Ends every process at once; for the launcher's own end."""
        for container in self.list():
            container.remove()

    def _forget(self, id: str) -> None:
        with self._lock:
            self._running.pop(id, None)

    def _new_directory(self) -> Path:
        directory = self._settings.containers / uuid.uuid4().hex[:12]
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
            "TMPDIR": str(directory / "tmp"),
            "AWS_ENDPOINT_URL": settings.endpoint,
            "AWS_REGION": settings.region,
            "AWS_DEFAULT_REGION": settings.region,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "local",
            # The runtime writes its metrics once a minute: of ours.
            "METRICS_SECONDS": str(settings.metrics_seconds),
            "ECS_AGENT_URI": f"{settings.endpoint}/_local/agent/{definition['taskId']}",
            "SSL_CERT_FILE": str(settings.directory / "certificates" / "ca.pem"),
        }


def _local_value(value: str, volumes: Sequence[str], directory: Path) -> str:
    for volume in volumes:
        if value == volume or value.startswith(f"{volume}/"):
            return f"{directory}{value}"
    # MiniStack's way for a container to reach the machine it runs on.
    return value.replace("host.docker.internal", "127.0.0.1")


def _container_definition(labels: Mapping[str, str]) -> dict[str, Any]:
    """What docker's `run` is not told: looked up in the task definition the labels name."""
    family, version = (labels[f"com.amazonaws.ecs.task-definition-{part}"] for part in ("family", "version"))
    name = labels["com.amazonaws.ecs.container-name"]
    definitions = ecs._task_defs[f"{family}:{version}"]["containerDefinitions"]
    task_id = labels["com.amazonaws.ecs.task-arn"].rsplit("/", 1)[-1]
    return {**next(item for item in definitions if item["name"] == name), "taskId": task_id}


class Image:
    """docker's image, of which MiniStack reads only the id."""

    def __init__(self, id: str) -> None:
        self.id = id

    def tag(self, *_: object, **__: object) -> bool:
        return True


class Images:
    """docker's `client.images`: the assembly is the registry, and an asset's hash the digest."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def get_registry_data(self, image: str, **_: object) -> Image:
        try:
            find_program(self._settings.assembly, image)
        except UnknownImageError as error:
            raise NotFoundError(str(error)) from None
        return Image(f"sha256:{image.rsplit(':', 1)[-1]}")

    get = pull = get_registry_data


def install(settings: Settings, *, reaper: Reaper) -> Containers:
    """Puts the stand-in where MiniStack's `import docker` finds it."""
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
