"""Reading a synthesized template."""

from fargate_workers_toolkit.templates.assembly import Assembly, Resource
from fargate_workers_toolkit.templates.evaluated import Evaluated
from fargate_workers_toolkit.templates.template_location import TemplateLocation
from fargate_workers_toolkit.templates.values import Reference, Text, Unknown, resources_in

__all__ = ["Assembly", "Evaluated", "Reference", "Resource", "TemplateLocation", "Text", "Unknown", "resources_in"]
