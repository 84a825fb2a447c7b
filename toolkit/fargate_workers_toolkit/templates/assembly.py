"""A synthesized cloud assembly: its stacks and their resources."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from fargate_workers_toolkit.errors import AssemblyError

PATH_METADATA = "aws:cdk:path"


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource of a template.

    Args:
        stack: The name of its stack.
        logical_id: Its id in the template.
        type: Its type, for example `AWS::SQS::Queue`.
        path: Its construct path, without the trailing `Resource`.
        properties: Its properties, not evaluated.
        definition: All that the template has of it.
        home: Its stack.
    """

    stack: str
    logical_id: str
    type: str
    path: str
    properties: Mapping[str, Any] = field(repr=False)
    definition: Mapping[str, Any] = field(repr=False)
    home: "Stack" = field(repr=False, compare=False)

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Its metadata; empty where it has none."""
        return _mapping(self.definition.get("Metadata"))


@dataclass(frozen=True, kw_only=True)
class Stack:
    """One stack.

    Args:
        name: Its name as deployed.
        environment: Its account and region, as `aws://account/region`.
        template: Its template.
    """

    name: str
    environment: str
    template: Mapping[str, Any] = field(repr=False)

    @cached_property
    def resources(self) -> Mapping[str, Resource]:
        """Its resources by logical id.

        Raises:
            AssemblyError: A resource has no type.
        """
        return {name: self._resource(name, item) for name, item in _mapping(self.template.get("Resources")).items()}

    @property
    def exports(self) -> Sequence[tuple[Any, Any]]:
        """Names and values, neither of them evaluated."""
        outputs = [_mapping(output) for output in _mapping(self.template.get("Outputs")).values()]
        return [
            (_mapping(output["Export"]).get("Name"), output.get("Value")) for output in outputs if "Export" in output
        ]

    def _resource(self, logical_id: str, item: object) -> Resource:
        definition = _mapping(item)
        kind, properties = definition.get("Type"), definition.get("Properties", {})
        if not isinstance(kind, str):
            raise AssemblyError(f"The resource {logical_id} of {self.name} has no Type; synthesize the template again.")
        if not isinstance(properties, dict):
            raise AssemblyError(f"The Properties of {logical_id} of {self.name} are no object of JSON.")
        path = _mapping(definition.get("Metadata")).get(PATH_METADATA)
        return Resource(
            stack=self.name,
            logical_id=logical_id,
            type=kind,
            path=path.removesuffix("/Resource") if isinstance(path, str) else "",
            properties=cast("Mapping[str, Any]", properties),
            definition=definition,
            home=self,
        )


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """All stacks of a cloud assembly, those of its stages too.

        Assembly.load(Path("cdk.out")).find("local/Data/OrdersQueue/Queue", type="AWS::SQS::Queue")

    Args:
        stacks: The stacks.
    """

    stacks: tuple[Stack, ...]

    @classmethod
    def read(cls, path: Path) -> "Assembly":
        """Read a cloud assembly, or one template in a JSON file.

        Args:
            path: The folder or the file.

        Raises:
            AssemblyError: It is neither.
        """
        if path.is_dir():
            return cls.load(path)
        if not path.exists():
            raise AssemblyError(f"There is neither a cloud assembly nor a template at {path}; run `cdk synth` first.")
        name = path.name.removesuffix(".json").removesuffix(".template")
        return cls(stacks=(Stack(name=name, environment="", template=_template(path)),))

    @classmethod
    def load(cls, directory: Path) -> "Assembly":
        """Read a cloud assembly.

        Args:
            directory: Its folder.

        Raises:
            AssemblyError: It is none, or has no template.
        """
        if not (directory / "manifest.json").is_file():
            raise AssemblyError(f"There is no cloud assembly in {directory}; run `cdk synth` first.")
        stacks = tuple(_stacks(directory))
        if not stacks:
            raise AssemblyError(f"The cloud assembly in {directory} has no template; run `cdk synth` again.")
        return cls(stacks=stacks)

    def only(self, names: Collection[str]) -> "Assembly":
        """Return the assembly without the stacks of other names.

        Args:
            names: The names of those that stay.
        """
        return Assembly(stacks=tuple(stack for stack in self.stacks if stack.name in names))

    def resources(self, *, type: str | None = None) -> list[Resource]:
        """List resources.

        Args:
            type: Their type. Defaults to every type.
        """
        everything = (resource for stack in self.stacks for resource in stack.resources.values())
        return [resource for resource in everything if type in (None, resource.type)]

    def find(self, path: str, *, type: str) -> Resource:
        """Find the one resource of a type at or below a construct path.

        Args:
            path: The construct path.
            type: The type.

        Raises:
            AssemblyError: There is none, or more than one.
        """
        candidates = [item for item in self.resources(type=type) if f"{item.path}/".startswith(f"{path}/")]
        exact = [item for item in candidates if item.path == path]
        found = exact or candidates
        if len(found) != 1:
            what = f"{len(found)} resources" if found else "no resource"
            raise AssemblyError(f"The assembly has {what} of type {type} at {path}; expected one.")
        return found[0]


def _stacks(directory: Path) -> Iterator[Stack]:
    for name, item in _mapping(_json(directory / "manifest.json").get("artifacts")).items():
        artifact = _mapping(item)
        match artifact.get("type"), _mapping(artifact.get("properties")):
            case "aws:cloudformation:stack", {"templateFile": str(file), **properties}:
                yield Stack(
                    name=str(properties.get("stackName", name)),
                    environment=str(artifact.get("environment", "")),
                    template=_template(directory / file),
                )
            case "cdk:cloud-assembly", {"directoryName": str(stage)}:
                yield from _stacks(directory / stage)
            case _:
                continue


def _template(path: Path) -> Mapping[str, Any]:
    template = _json(path)
    if not isinstance(template.get("Resources"), dict):
        raise AssemblyError(f"{path} is not a CloudFormation template: it has no Resources.")
    return template


def _json(path: Path) -> Mapping[str, Any]:
    try:
        return _mapping(json.loads(path.read_text(encoding="utf-8-sig")))
    except OSError as error:
        raise AssemblyError(f"{path} cannot be read: {error.strerror}; run `cdk synth` again.") from None
    except (ValueError, RecursionError):
        raise AssemblyError(f"{path} is not JSON; give the template that `cdk synth` writes, or convert it.") from None


def _mapping(value: object) -> Mapping[str, Any]:
    """An object of JSON; empty for anything else."""
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}
