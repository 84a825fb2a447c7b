"""Stacks for tests: many small stacks, one synthesis, and the facts of their templates."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aws_cdk import App, Stack
from aws_cdk import aws_ecs as ecs

Properties = dict[str, Any]


class Facts:
    """The resources of one synthesized stack, asked for by type."""

    def __init__(self, template: Mapping[str, Any]) -> None:
        self.resources: dict[str, dict[str, Any]] = template.get("Resources", {})
        self.outputs: dict[str, dict[str, Any]] = template.get("Outputs", {})

    def all(self, kind: str) -> list[Properties]:
        return [found.get("Properties", {}) for found in self.resources.values() if found["Type"] == f"AWS::{kind}"]

    def only(self, kind: str, **expected: Any) -> Properties:
        found = [each for each in self.all(kind) if all(each.get(name) == value for name, value in expected.items())]
        assert len(found) == 1, f"{len(found)} resources of type {kind} with {expected}"
        return found[0]

    def whole(self, kind: str) -> list[dict[str, Any]]:
        return [found for found in self.resources.values() if found["Type"] == f"AWS::{kind}"]

    def count(self, kind: str) -> int:
        return len(self.all(kind))

    def id_of(self, kind: str, **expected: Any) -> str:
        properties = self.only(kind, **expected)
        return next(name for name, found in self.resources.items() if found.get("Properties") is properties)

    def statements(self) -> list[dict[str, Any]]:
        """Every statement of every managed policy."""
        return [each for policy in self.all("IAM::ManagedPolicy") for each in policy["PolicyDocument"]["Statement"]]


def synthesize(stacks: Mapping[str, Callable[[Stack], Any]]) -> dict[str, Facts]:
    """One app with a stack per entry; an entry builds into its stack."""
    with TemporaryDirectory() as folder:
        app = App(outdir=folder)
        for name, build in stacks.items():
            build(Stack(app, name))
        app.synth()
        return {name: Facts(json.loads((Path(folder) / f"{name}.template.json").read_text())) for name in stacks}


def image() -> ecs.ContainerImage:
    return ecs.ContainerImage.from_registry("registry.example/worker@sha256:0")
