"""Reads a synthesized cloud assembly: stacks, resources, and what refers to what."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

PATH_METADATA = "aws:cdk:path"


class AssemblyError(LookupError):
    """Something that the assembly does not have, or not once."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource of a template. `path` is the construct path without the trailing `Resource`."""

    stack: str
    logical_id: str
    type: str
    path: str
    properties: Mapping[str, Any] = field(repr=False)
    definition: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A `Ref` (no attribute) or `Fn::GetAtt` of a resource, possibly of another stack."""

    resource: Resource
    attribute: str | None = None


@dataclass(frozen=True, kw_only=True)
class Stack:
    """One stack: its name as deployed, and its template."""

    name: str
    environment: str
    template: Mapping[str, Any] = field(repr=False)

    @cached_property
    def resources(self) -> Mapping[str, Resource]:
        """By logical id."""
        return {
            logical_id: Resource(
                stack=self.name,
                logical_id=logical_id,
                type=definition["Type"],
                path=definition.get("Metadata", {}).get(PATH_METADATA, "").removesuffix("/Resource"),
                properties=definition.get("Properties", {}),
                definition=definition,
            )
            for logical_id, definition in self.template.get("Resources", {}).items()
        }

    @property
    def exports(self) -> Mapping[str, Any]:
        """Exported values by export name."""
        outputs = self.template.get("Outputs", {}).values()
        return {output["Export"]["Name"]: output["Value"] for output in outputs if "Export" in output}


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """All stacks of a cloud assembly, those of its stages too.

    Assembly.load(Path("cdk.out")).find("local/Data/OrdersQueue/Queue", type="AWS::SQS::Queue")
    """

    stacks: tuple[Stack, ...]

    @classmethod
    def read(cls, path: Path) -> "Assembly":
        """A cloud assembly, or one template in a JSON file. Raises AssemblyError for anything else."""
        if path.is_dir():
            return cls.load(path)
        try:
            template = json.loads(path.read_text())
        except FileNotFoundError:
            raise AssemblyError(f"There is neither a cloud assembly nor a template at {path}.") from None
        except ValueError:
            raise AssemblyError(f"{path} is not a CloudFormation template in JSON.") from None
        if not isinstance(template, dict) or "Resources" not in template:
            raise AssemblyError(f"{path} is not a CloudFormation template: it has no Resources.")
        name = path.name.removesuffix(".json").removesuffix(".template")
        return cls(stacks=(Stack(name=name, environment="", template=cast("Mapping[str, Any]", template)),))

    @classmethod
    def load(cls, directory: Path) -> "Assembly":
        """Raises AssemblyError where there is no assembly."""
        if not (directory / "manifest.json").is_file():
            raise AssemblyError(f"There is no cloud assembly in {directory}; run `cdk synth` first.")
        return cls(stacks=tuple(_stacks(directory)))

    def resources(self, *, type: str | None = None) -> list[Resource]:
        """Every resource, or every one of a type."""
        everything = (resource for stack in self.stacks for resource in stack.resources.values())
        return [resource for resource in everything if type in (None, resource.type)]

    def find(self, path: str, *, type: str) -> Resource:
        """The one resource of `type` at or below a construct path. Raises AssemblyError unless there is just one."""
        candidates = [item for item in self.resources(type=type) if f"{item.path}/".startswith(f"{path}/")]
        exact = [item for item in candidates if item.path == path]
        found = exact or candidates
        if len(found) != 1:
            what = f"{len(found)} resources" if found else "no resource"
            raise AssemblyError(f"The assembly has {what} of type {type} at {path}; expected one.")
        return found[0]

    def resolve(self, value: Any, *, stack: str) -> Any:
        """`value` with each Ref, Fn::GetAtt and Fn::ImportValue to a resource replaced by a Reference."""
        match value:
            case {"Ref": str(logical_id)}:
                return self._reference(stack, logical_id, None) or value
            case {"Fn::GetAtt": [str(logical_id), str(attribute)]}:
                return self._reference(stack, logical_id, attribute) or value
            case {"Fn::ImportValue": str(name)}:
                return self._imported(name)
            case dict():
                return {
                    name: self.resolve(item, stack=stack) for name, item in cast("Mapping[str, Any]", value).items()
                }
            case list():
                return [self.resolve(item, stack=stack) for item in cast("list[Any]", value)]
            case _:
                return value

    def _reference(self, stack: str, logical_id: str, attribute: str | None) -> Reference | None:
        resource = self._stack(stack).resources.get(logical_id)
        return None if resource is None else Reference(resource=resource, attribute=attribute)

    def _imported(self, name: str) -> Any:
        for stack in self.stacks:
            if name in stack.exports:
                return self.resolve(stack.exports[name], stack=stack.name)
        raise AssemblyError(f"No stack of the assembly exports {name}.")

    def _stack(self, name: str) -> Stack:
        return next(stack for stack in self.stacks if stack.name == name)


def _stacks(directory: Path) -> Iterator[Stack]:
    artifacts = json.loads((directory / "manifest.json").read_text()).get("artifacts", {})
    for name, artifact in artifacts.items():
        properties = artifact.get("properties", {})
        match artifact["type"]:
            case "aws:cloudformation:stack":
                yield Stack(
                    name=properties.get("stackName", name),
                    environment=artifact.get("environment", ""),
                    template=json.loads((directory / properties["templateFile"]).read_text()),
                )
            case "cdk:cloud-assembly":
                yield from _stacks(directory / properties["directoryName"])
            case _:
                continue
