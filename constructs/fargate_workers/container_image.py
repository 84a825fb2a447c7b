"""The workers' image, built for the architecture they run on."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from aws_cdk import IgnoreMode
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_ecs as ecs

Architecture = Literal["arm64", "x86_64"]

# What running the code leaves behind; it must change neither the image nor its asset's hash.
_LEFTOVERS = ("**/__pycache__", "**/*.pyc", "**/.*_cache", "**/.venv", "**/.DS_Store")


def worker_image(
    directory: str | Path, *, architecture: Architecture = "arm64", build_args: Mapping[str, str] | None = None
) -> ecs.ContainerImage:
    """The image which `directory`'s Dockerfile builds, for tasks of the same `architecture`.

        image = worker_image("worker_image", architecture="x86_64")

    Give one image to as many workers as you like; it is built once. What the directory's `.dockerignore` leaves out
    is no part of it: when that file excludes everything and lets in, say, `Dockerfile` and `package/**/*.py`, the
    asset has one hash on every machine. Building for another architecture than the machine's own takes QEMU.
    """
    return ecs.ContainerImage.from_asset(
        str(directory),
        platform=_platform(architecture),
        build_args=dict(build_args) if build_args else None,
        exclude=list(_LEFTOVERS),
        ignore_mode=IgnoreMode.DOCKER,
    )


@cache
def cpu_architecture(architecture: Architecture) -> ecs.CpuArchitecture:
    return ecs.CpuArchitecture.ARM64 if architecture == "arm64" else ecs.CpuArchitecture.X86_64


@cache
def _platform(architecture: Architecture) -> ecr_assets.Platform:
    return ecr_assets.Platform.LINUX_ARM64 if architecture == "arm64" else ecr_assets.Platform.LINUX_AMD64
