"""The program of an image: what a local process runs, from the synthesized asset's own folder."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fargate_workers_toolkit.errors import LocalError


class UnknownImageError(LocalError):
    """The image was not built from an asset of this assembly."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """What a Dockerfile declares about running its image.

    Args:
        folder: The folder of the asset.
        environment: ENV. Defaults to none.
        entrypoint: ENTRYPOINT. Defaults to none.
        command: CMD. Defaults to none.
        workdir: WORKDIR, the image's own path of `folder`. Defaults to `/`.
    """

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()
    workdir: str = "/"

    def local_path(self, value: str) -> str:
        """Return a path below the image's work directory as a path here; anything else unchanged."""
        inside = self.workdir != "/" and (value == self.workdir or value.startswith(f"{self.workdir}/"))
        return f"{self.folder}{value[len(self.workdir) :]}" if inside else value


def find_program(assembly: Path, image: str) -> Program:
    """Find the program of an image: of this assembly, or of an earlier one, whose assets stay in the folder.

    A rollback runs the image of an earlier assembly, as a registry keeps it.

    Args:
        assembly: The folder of the assembly.
        image: The image; its tag or digest ends with an asset's hash.

    Raises:
        UnknownImageError: It is an asset of none of them.
    """
    for manifest in sorted(assembly.rglob("*.assets.json")):
        for asset_hash, asset in json.loads(manifest.read_text()).get("dockerImages", {}).items():
            if image.endswith(f":{asset_hash}"):
                source = asset["source"]
                folder = (manifest.parent / source["directory"]).resolve()
                dockerfile = (folder / source.get("dockerFile", "Dockerfile")).read_text()
                return read_dockerfile(dockerfile, folder=folder, arguments=source.get("dockerBuildArgs", {}))
    earlier = assembly / f"asset.{image.rpartition(':')[2]}"
    if (earlier / "Dockerfile").is_file():
        return read_dockerfile((earlier / "Dockerfile").read_text(), folder=earlier.resolve())
    raise UnknownImageError(f"{image} is not an image asset of {assembly}; only images built from assets run locally.")


def read_dockerfile(text: str, *, folder: Path, arguments: Mapping[str, str] | None = None) -> Program:
    """Read the last stage's ENV, ENTRYPOINT, CMD and WORKDIR, with those of the stage it builds upon.

    Args:
        text: The Dockerfile.
        folder: The folder of the asset.
        arguments: Build arguments. Defaults to none.
    """
    stages: dict[str, dict[str, Any]] = {}
    stage: dict[str, Any] = {"environment": {}}
    values = dict(arguments or {})
    for instruction, rest in _instructions(text):
        match instruction:
            case "FROM":
                words = [word for word in rest.split() if not word.startswith("--")]
                base = stages.get(words[0].lower(), {"environment": {}})
                stage = {**base, "environment": dict(base["environment"])}
                if len(words) == 3 and words[1].upper() == "AS":
                    stages[words[2].lower()] = stage
            case "ARG":
                name, _, default = rest.partition("=")
                values.setdefault(name.strip(), default.strip().strip("\"'"))
            case "ENV":
                stage["environment"].update(_variables(rest, {**values, **stage["environment"]}))
            case "WORKDIR":
                stage["workdir"] = rest.strip()
            case "ENTRYPOINT":
                stage["entrypoint"], stage["command"] = _arguments(rest), ()
            case "CMD":
                stage["command"] = _arguments(rest)
            case _:
                continue
    return Program(folder=folder, **stage)


def _instructions(text: str) -> list[tuple[str, str]]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\s*\n", " ", "\n".join(lines))
    pairs = (line.strip().partition(" ") for line in joined.splitlines() if line.strip())
    return [(name.upper(), rest.strip()) for name, _, rest in pairs]


def _variables(rest: str, known: Mapping[str, str]) -> dict[str, str]:
    words = shlex.split(rest)
    pairs = [word.partition("=")[::2] for word in words] if "=" in words[0] else [(words[0], " ".join(words[1:]))]
    return {name: re.sub(r"\$\{?(\w+)\}?", lambda match: known.get(match[1], ""), value) for name, value in pairs}


def _arguments(rest: str) -> Sequence[str]:
    return json.loads(rest) if rest.startswith("[") else ("/bin/sh", "-c", rest)
