"""What a template's values are before anything is deployed: intrinsic functions, parameters, mappings and conditions.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from fargate_workers_toolkit.templates.assembly import Assembly, Resource, Stack

_SUBSTITUTED = re.compile(r"\$\{([^!${}][^${}]*)\}")

# Absent: the property or item is as if it were not there.
_NO_VALUE = object()


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A `Ref` or `Fn::GetAtt` of a resource, possibly of another stack.

    Args:
        resource: The resource.
        attribute: The attribute; empty for `Ref`.
    """

    resource: Resource
    attribute: str | None = None


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """What only a deployment knows.

    Args:
        why: The reason, as a clause.
        about: The resources that go into it.
    """

    why: str
    about: tuple[Resource, ...] = field(default=(), repr=False)


Part = str | Reference | Unknown


@dataclass(frozen=True)
class Text:
    """A string of which some parts are references or unknown.

    Args:
        parts: The parts in order.
    """

    parts: tuple[Part, ...]

    def __str__(self) -> str:
        """The same for the same text: what is not known is named."""
        return "".join(part if isinstance(part, str) else f"{{{_called(part)}}}" for part in self.parts)


class Values:
    """Evaluates values of an assembly's templates: to plain JSON, with Reference, Text and Unknown inside.

    Args:
        assembly: The assembly.
    """

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly

    def of(self, value: Any, *, stack: Stack) -> Any:
        """Evaluate a value.

        Args:
            value: As the template has it.
            stack: Whose template that is.

        Returns:
            The value; None where it is AWS::NoValue.
        """
        found = _Evaluation(self._assembly, stack).of(value)
        return None if found is _NO_VALUE else found

    def exists(self, resource: Resource) -> bool | Unknown:
        """Return whether a resource's condition holds, if it has one.

        Args:
            resource: The resource.
        """
        name = resource.definition.get("Condition")
        return True if name is None else _Evaluation(self._assembly, resource.home).condition(name)


def resources_in(value: Any) -> Iterator[Resource]:
    """Return every resource that goes into an evaluated value, however deep.

    Args:
        value: The value.
    """
    match value:
        case Reference(resource=resource):
            yield resource
        case Unknown(about=resources):
            yield from resources
        case Text(parts=parts):
            for part in parts:
                yield from resources_in(part)
        case dict():
            for item in cast("dict[str, object]", value).values():
                yield from resources_in(item)
        case list():
            for item in cast("list[object]", value):
                yield from resources_in(item)
        case _:
            return


class _Evaluation:
    """The evaluation of one value.

    Args:
        assembly: The assembly.
        stack: The stack in whose template the value stands.
        asked: Names of conditions and exports on the way, which may lead in a circle. Defaults to none.
    """

    def __init__(self, assembly: Assembly, stack: Stack, asked: frozenset[object] = frozenset()) -> None:
        self._assembly = assembly
        self._stack = stack
        self._asked = asked

    def of(self, value: Any) -> Any:
        match value:
            case dict():
                items = cast("dict[str, object]", value)
                if len(items) == 1:
                    (name, argument), *_ = items.items()
                    if name == "Ref" or name.startswith("Fn::"):
                        return self._intrinsic(name, argument)
                evaluated = {name: self.of(item) for name, item in items.items()}
                return {name: item for name, item in evaluated.items() if item is not _NO_VALUE}
            case list():
                every = [self.of(item) for item in cast("list[object]", value)]
                return [item for item in every if item is not _NO_VALUE]
            case _:
                return value

    def condition(self, name: Any) -> bool | Unknown:
        """A condition by its name."""
        definition = _section(self._stack, "Conditions").get(str(name))
        if definition is None or ("condition", name) in self._asked:
            return Unknown(why=f"the template does not define the condition {name}")
        return self._asking(("condition", name)).holds(definition)

    def _asking(self, what: object, stack: Stack | None = None) -> "_Evaluation":
        return _Evaluation(self._assembly, stack or self._stack, self._asked | {what})

    def holds(self, definition: Any) -> bool | Unknown:
        match definition:
            case {"Condition": name}:
                return self.condition(name)
            case {"Fn::Equals": [first, second]}:
                sides = [self.of(first), self.of(second)]
                unknown = next((side for side in sides if not isinstance(side, str | int | float)), None)
                if unknown is not None:
                    return _unknown(unknown, "it compares what is no text")
                return _plain(sides[0]) == _plain(sides[1])
            case {"Fn::Not": [inner]}:
                held = self.holds(inner)
                return held if isinstance(held, Unknown) else not held
            case {"Fn::And": [*inner]}:
                return self._several(inner, decisive=False)
            case {"Fn::Or": [*inner]}:
                return self._several(inner, decisive=True)
            case _:
                return Unknown(why="its condition is none that CloudFormation knows")

    def _several(self, definitions: Iterable[Any], *, decisive: bool) -> bool | Unknown:
        held = [self.holds(definition) for definition in definitions]
        if decisive in held:
            return decisive
        return next((each for each in held if isinstance(each, Unknown)), not decisive)

    def _intrinsic(self, name: str, argument: Any) -> Any:
        found = self._evaluated(name, argument)
        if found is None:
            inside = tuple(resources_in(self.of(argument)))
            return Unknown(why=f"it is made by {name}, which is evaluated only when deployed", about=inside)
        return found

    def _evaluated(self, name: str, argument: Any) -> Any:
        """The value of a function; None where it or its argument is not understood."""
        match name:
            case "Ref":
                return self._ref(argument)
            case "Fn::GetAtt":
                return self._get_att(argument)
            case "Fn::ImportValue":
                return self._import(argument)
            case "Fn::Join":
                return self._join(argument)
            case "Fn::Sub":
                return self._sub(argument)
            case "Fn::FindInMap":
                return self._find_in_map(argument)
            case "Fn::If":
                return self._if(argument)
            case "Fn::Select":
                return self._select(argument)
            case "Fn::Split":
                return self._split(argument)
            case _:
                return None

    def _ref(self, name: Any) -> Any:
        if not isinstance(name, str):
            return None
        parameters = _section(self._stack, "Parameters")
        if name in parameters:
            return _default(name, parameters[name])
        if name in self._stack.resources:
            return Reference(resource=self._stack.resources[name])
        account, _, region = self._stack.environment.removeprefix("aws://").partition("/")
        known = {"AWS::StackName": self._stack.name, "AWS::NoValue": _NO_VALUE}
        if re.fullmatch(r"\d{12}", account):
            known["AWS::AccountId"] = account
        if region and not region.startswith("unknown"):
            known["AWS::Region"] = region
        why = f"{name} differs from place to place" if name.startswith("AWS::") else f"the template defines no {name}"
        return known.get(name, Unknown(why=why))

    def _get_att(self, argument: Any) -> Any:
        match argument:
            case str() if "." in argument:
                name, _, attribute = argument.partition(".")
            case [str(name), str(attribute)]:
                pass
            case _:
                return None
        resource = self._stack.resources.get(name)
        if resource is None:
            return Unknown(why=f"the template has no {name}")
        return Reference(resource=resource, attribute=attribute)

    def _import(self, argument: Any) -> Any:
        name = str(self.of(argument))
        # A twin of a stack, for another region, exports the same names there.
        near = sorted(self._assembly.stacks, key=lambda stack: stack.environment != self._stack.environment)
        for stack in near:
            key = ("export", stack.name, stack.environment, name)
            if key in self._asked:
                continue
            inside = self._asking(key, stack)
            for exported, value in stack.exports:
                if str(inside.of(exported)) == name:
                    return inside.of(value)
        return Unknown(why=f"{name} is imported from a stack that is not there; give the whole cloud assembly")

    def _join(self, argument: Any) -> Any:
        match argument:
            case [str(delimiter), items]:
                evaluated = self.of(items)
                if isinstance(evaluated, list):
                    parts = [part for item in cast("list[object]", evaluated) for part in (delimiter, item)]
                    return _text(parts[1:])
            case _:
                pass
        return None

    def _sub(self, argument: Any) -> Any:
        match argument:
            case str(text):
                names: Mapping[str, object] = {}
            case [str(text), {**given}]:
                names = given
            case _:
                return None
        parts = _SUBSTITUTED.split(text)
        return _text(
            self._named(part.strip(), names) if index % 2 else part.replace("${!", "${")
            for index, part in enumerate(parts)
        )

    def _named(self, name: str, names: Mapping[str, object]) -> Any:
        if name in names:
            return self.of(names[name])
        return self._get_att(name) if "." in name else self._ref(name)

    def _find_in_map(self, argument: Any) -> Any:
        keys = self.of(argument)
        if not isinstance(keys, list):
            return None
        names = cast("list[Any]", keys)
        if len(names) not in (3, 4):
            return None
        value: Any = _section(self._stack, "Mappings")
        for key in names[:3]:
            value = cast("dict[str, Any]", value).get(str(key)) if isinstance(value, dict) else None
        if value is not None:
            return self.of(value)
        match names[3:]:
            case [{"DefaultValue": default}]:
                return default
            case _:
                why = f"the mapping {names[0]} has nothing for {names[1]} and {names[2]}"
                return _unknown(names, why)

    def _if(self, argument: Any) -> Any:
        match argument:
            case [name, yes, no]:
                held = self.condition(name)
                if isinstance(held, Unknown):
                    return Unknown(why=held.why, about=tuple(resources_in([self.of(yes), self.of(no)])))
                return self.of(yes if held else no)
            case _:
                return None

    def _select(self, argument: Any) -> Any:
        match argument:
            case [index, items]:
                place, evaluated = str(self.of(index)), self.of(items)
                if isinstance(evaluated, list) and place.isdecimal():
                    every = cast("list[object]", evaluated)
                    return every[int(place)] if int(place) < len(every) else None
            case _:
                pass
        return None

    def _split(self, argument: Any) -> Any:
        match argument:
            case [str(delimiter), source] if delimiter:
                whole = self.of(source)
                parts = whole.parts if isinstance(whole, Text) else [whole]
                pieces: list[list[Any]] = [[]]
                for part in parts:
                    if not isinstance(part, str):
                        pieces[-1].append(part)
                        continue
                    first, *others = part.split(delimiter)
                    pieces[-1].append(first)
                    pieces += [[other] for other in others]
                # Where a reference stands, more delimiters may be.
                known = all(isinstance(part, str) for part in parts)
                return [_text(piece) for piece in pieces] if known else None
            case _:
                return None


def _section(stack: Stack, name: str) -> Mapping[str, Any]:
    section = stack.template.get(name)
    return cast("Mapping[str, Any]", section) if isinstance(section, dict) else {}


def _default(name: str, definition: object) -> Any:
    """The default of a parameter; one of Systems Manager's is a name, and its value known only there."""
    parameter = cast("dict[str, Any]", definition) if isinstance(definition, dict) else {}
    kind, default = str(parameter.get("Type")), parameter.get("Default")
    if default is None or kind.startswith("AWS::SSM::"):
        return Unknown(why=f"the parameter {name} has no Default")
    is_list = kind == "CommaDelimitedList" or kind.startswith("List<")
    return [item.strip() for item in str(default).split(",")] if is_list else default


def _text(parts: Iterable[object]) -> str | Text | Unknown:
    """Parts one after another: a string if nothing but strings is in it."""
    merged: list[Part] = [""]
    for part in parts:
        for piece in part.parts if isinstance(part, Text) else (part,):
            if isinstance(piece, Reference | Unknown):
                merged.append(piece)
            elif not isinstance(piece, str | int | float):
                return Unknown(why="it joins what is no text", about=tuple(resources_in(piece)))
            elif isinstance(merged[-1], str):
                merged[-1] += _plain(piece)
            else:
                merged.append(_plain(piece))
    known = [part for part in merged if part != ""]
    if all(isinstance(part, str) for part in known):
        return "".join(cast("list[str]", known))
    return Text(tuple(known))


def _plain(value: str | float) -> str:
    """The text of a value as CloudFormation spells it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _unknown(value: Any, why: str) -> Unknown:
    """The unknown part of a value, else another."""
    match value:
        case Unknown():
            return value
        case Text(parts=parts):
            return _unknown(list(parts), why)
        case list():
            inside = cast("list[object]", value)
            return next((item for item in inside if isinstance(item, Unknown)), Unknown(why=why))
        case _:
            return Unknown(why=why, about=tuple(resources_in(value)))


def _called(part: Reference | Unknown) -> str:
    if isinstance(part, Unknown):
        return part.why
    name = part.resource.logical_id
    return name if part.attribute is None else f"{name}.{part.attribute}"
