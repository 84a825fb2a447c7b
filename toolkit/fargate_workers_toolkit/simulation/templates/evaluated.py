"""A cloud assembly of which resources are read as they would be deployed."""

from pathlib import Path
from typing import Any

from fargate_workers_toolkit.simulation.errors import SimulationError
from fargate_workers_toolkit.simulation.templates.place import Place
from fargate_workers_toolkit.template import Assembly, Resource
from fargate_workers_toolkit.template_values import Text, Unknown, Values, resources_in


class Evaluated:
    """The assembly or template at `path`. Raises AssemblyError for anything else."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.assembly = Assembly.read(path)
        self._values = Values(self.assembly)

    def resources(self, type: str) -> list[Resource]:
        """All of a type but those whose condition does not hold."""
        return [item for item in self.assembly.resources(type=type) if self._values.exists(item) is not False]

    def properties(self, resource: Resource) -> Place:
        """Raises SimulationError where only a deployment knows whether there is such a resource."""
        exists = self._values.exists(resource)
        if isinstance(exists, Unknown):
            raise SimulationError(f"{self.where(resource)} may exist or not, known only when deployed: {exists.why}.")
        return Place(self.of(resource, resource.properties), self.where(resource))

    def of(self, resource: Resource, value: object) -> Any:
        """A value that stands in the template of a resource."""
        return self._values.of(value, stack=resource.home)

    def where(self, resource: Resource) -> str:
        """For people: the file, and the place in it."""
        return f"{self.path}: {resource.path or resource.logical_id}"

    def referred(self, value: object, *, type: str, name: str) -> Resource | None:
        """The resource of a type that an evaluated value refers to; or the one that has it as the name it is given.

        name: The property with that name.
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
