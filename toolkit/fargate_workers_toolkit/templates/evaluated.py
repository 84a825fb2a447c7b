"""A cloud assembly of which resources are read as they would be deployed."""

from pathlib import Path
from typing import Any

from fargate_workers_toolkit.errors import SimulationError
from fargate_workers_toolkit.templates.assembly import Assembly, Resource
from fargate_workers_toolkit.templates.template_location import TemplateLocation
from fargate_workers_toolkit.templates.values import Text, Unknown, Values, resources_in


class Evaluated:
    """A cloud assembly or template, with the values of its resources as a deployment would see them.

    Args:
        path: The folder of the assembly, or the file of one template.

    Raises:
        AssemblyError: The path holds anything else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.assembly = Assembly.read(path)
        self._values = Values(self.assembly)

    def resources(self, type: str) -> list[Resource]:
        """The resources of a type, but for those whose condition does not hold.

        Args:
            type: The CloudFormation type, such as `AWS::ECS::Service`.
        """
        return [item for item in self.assembly.resources(type=type) if self._values.exists(item) is not False]

    def properties(self, resource: Resource) -> TemplateLocation:
        """The evaluated properties of a resource.

        Args:
            resource: A resource of this assembly.

        Raises:
            SimulationError: Only a deployment knows whether there is such a resource.
        """
        exists = self._values.exists(resource)
        if isinstance(exists, Unknown):
            raise SimulationError(f"{self.where(resource)} may exist or not, known only when deployed: {exists.why}.")
        return TemplateLocation(self.of(resource, resource.properties), self.where(resource))

    def of(self, resource: Resource, value: object) -> Any:
        """The evaluated value of an expression in a template.

        Args:
            resource: The resource in whose template it stands.
            value: The expression.
        """
        return self._values.of(value, stack=resource.home)

    def where(self, resource: Resource) -> str:
        """The file, and the place in it, for people to read.

        Args:
            resource: A resource of this assembly.
        """
        return f"{self.path}: {resource.path or resource.logical_id}"

    def referred(self, value: object, *, type: str, name: str) -> Resource | None:
        """The resource of a type that an evaluated value refers to, or whose name it is; None where there is none.

        Args:
            value: The evaluated value.
            type: The CloudFormation type of the resource.
            name: The property with the name that the template gives it.
        """
        for resource in resources_in(value):
            if resource.type == type:
                return resource
        if isinstance(value, str | Text):
            for resource in self.resources(type):
                given = self.of(resource, resource.properties.get(name))
                if given is not None and str(given) == str(value):
                    return resource
        return None
