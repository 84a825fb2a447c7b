"""The workers' image, built for the architecture they run on."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal
from weakref import WeakKeyDictionary

from aws_cdk import IgnoreMode
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from fargate_workers.errors import ConfigurationError

Architecture = Literal["arm64", "x86_64"]


@dataclass(frozen=True, kw_only=True)
class _Build:
    architecture: Architecture
    options: Mapping[str, Any]


_builds: WeakKeyDictionary[ecs.ContainerImage, _Build] = WeakKeyDictionary()

# What running the code leaves behind; it must change neither the image nor its asset's hash.
_LEFTOVERS = ("**/__pycache__", "**/*.pyc", "**/.*_cache", "**/.venv", "**/.DS_Store")


def worker_image(
    directory: str | Path, *, architecture: Architecture = "arm64", build_args: Mapping[str, str] | None = None
) -> ecs.ContainerImage:
    """The image that the Dockerfile of `directory` builds; its tasks run on the same `architecture`.

        image = worker_image("worker_image", architecture="x86_64")

    Give one image to any number of workers; it is built once. What the directory's `.dockerignore` leaves out
    is no part of it: when that file excludes everything and lets in, say, `Dockerfile` and `package/**/*.py`, the
    asset has one hash on every machine. Building for another architecture than the machine's own takes QEMU.

    Args:
        directory: The folder of the Dockerfile.
        architecture: "arm64" or "x86_64". Defaults to "arm64", the cheaper one.
        build_args: Docker's build arguments. Defaults to none.
    """
    options: dict[str, Any] = {
        "platform": _platform(architecture),
        "build_args": dict(build_args) if build_args else None,
        "exclude": list(_LEFTOVERS),
        "ignore_mode": IgnoreMode.DOCKER,
    }
    image = ecs.ContainerImage.from_asset(str(directory), **options)
    _builds[image] = _Build(architecture=architecture, options={"directory": str(directory), **options})
    return image


def image_uri(scope: Construct, id: str, image: ecs.ContainerImage) -> str:
    """The address in ECR of an image, as a function takes it: built once for tasks and functions.

    Args:
        scope: The construct that the image's asset belongs to.
        id: The id of what runs the image, for the error.
        image: The image.

    Raises:
        ConfigurationError: Lambda cannot run it, or nothing says where it is.
    """
    if image in _builds:
        return ecr_assets.DockerImageAsset(scope, "Image", **_builds[image].options).image_uri
    if isinstance(image, ecs.EcrImage):
        return image.image_name
    raise ConfigurationError(
        f"{id}: a function runs an image of ECR; give worker_image(...) or ContainerImage.from_ecr_repository(...)."
    )


def architecture_of(id: str, image: ecs.ContainerImage, wanted: Architecture | None) -> Architecture:
    """The architecture that tasks of `image` run on: the one that it was built for, if `worker_image` built it.

    Raises:
        ConfigurationError: `wanted` is another one: every task would end with "exec format error".
    """
    build = _builds.get(image)
    built = None if build is None else build.architecture
    if built is not None and wanted is not None and built != wanted:
        raise ConfigurationError(
            f'{id}: the image is built for {built} and architecture is "{wanted}"; leave architecture out, or build '
            f'the image by worker_image(..., architecture="{wanted}").'
        )
    return built or wanted or "arm64"


@cache
def cpu_architecture(architecture: Architecture) -> ecs.CpuArchitecture:
    return ecs.CpuArchitecture.ARM64 if architecture == "arm64" else ecs.CpuArchitecture.X86_64


@cache
def _platform(architecture: Architecture) -> ecr_assets.Platform:
    return ecr_assets.Platform.LINUX_ARM64 if architecture == "arm64" else ecr_assets.Platform.LINUX_AMD64
