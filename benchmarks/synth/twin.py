"""The JavaScript twin of a Python app: the very calls the app makes, written down as a program for Node.

Python drives the CDK by messages to a Node process. Writing them down as JavaScript gives what a JavaScript author
would have written, call by call; both programs must synthesize the same templates. What the twin lacks is what Python
costs: the interpreter, the messages and the type checks.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jsii._kernel.providers.process import jdefault
from jsii._kernel.types import CreateResponse, GetResponse, InvokeResponse, ObjRef

from benchmarks.synth.messages import listening

MODULES = {"aws-cdk-lib": "cdk", "constructs": "constructs", "cdk-nag": "nag"}
_TOKEN = re.compile(r"[$#]\{Token\[[^\]]*\]\}")
# The CDK encodes unknown numbers as huge negative ones.
_ENCODED_NUMBERS = -1e280


class Twin:
    """The JavaScript written so far."""

    def __init__(self) -> None:
        self.lines = [f'const {name} = require("{module}");' for module, name in MODULES.items()]
        self._names: dict[str, str] = {}  # object handle or text with tokens -> JavaScript expression
        self._written = 0

    def write(self, path: Path, *, outdir: str) -> None:
        """Write the program; it synthesizes into the folder it is given instead of `outdir`."""
        text = "\n".join(self.lines).replace(json.dumps(outdir), "process.argv[2]")
        path.write_text(f'"use strict";\n{text}\n', encoding="utf-8")

    def hear(self, request: dict[str, Any], response: Any) -> None:
        """Write down one message."""
        call = self._call(json.loads(json.dumps(request, default=jdefault)))
        if call is None:
            return
        result = f"v{self._written}"
        self._written += 1
        self.lines.append(f"const {result} = {call};")
        self._remember(result, response)

    def _call(self, request: dict[str, Any]) -> str | None:
        arguments = ", ".join(self._value(argument) for argument in request.get("args", []))
        match request["api"]:
            case "load":
                return None
            case "create":
                return f"new {_name(request['fqn'])}({arguments})"
            case "invoke":
                return f"{self._value(request['objref'])}.{request['method']}({arguments})"
            case "sinvoke":
                return f"{_name(request['fqn'])}.{request['method']}({arguments})"
            case "get":
                return f"{self._value(request['objref'])}.{request['property']}"
            case "sget":
                return f"{_name(request['fqn'])}.{request['property']}"
            case "set":
                return f"{self._value(request['objref'])}.{request['property']} = {self._value(request['value'])}"
            case kind:
                raise NotImplementedError(f"The twin cannot answer a {kind!r} message: the app calls back into Python.")

    def _value(self, value: Any) -> str:
        match value:
            case None:
                return "undefined"
            case {"$jsii.byref": handle}:
                return self._names.get(handle, "outside")
            case {"$jsii.enum": member}:
                return _name(member.replace("/", "."))
            case {"$jsii.struct": {"data": properties}} | {"$jsii.map": properties}:
                return self._object(properties)
            case dict():
                return self._object(value)
            case list():
                return f"[{', '.join(map(self._value, value))}]"
            case str():
                return self._text(value)
            case float() if value < _ENCODED_NUMBERS:
                return self._names[repr(value)]
            case _:
                return json.dumps(value)

    def _object(self, properties: dict[str, Any]) -> str:
        given = (f"{json.dumps(key)}: {self._value(value)}" for key, value in properties.items() if value is not None)
        return f"{{{', '.join(given)}}}"

    def _text(self, text: str) -> str:
        """A string, put together anew where it holds tokens: the twin's have numbers of their own."""
        if text in self._names:
            return self._names[text]
        parts: list[str] = []
        end = 0
        for token in _TOKEN.finditer(text):
            if name := self._names.get(token[0]):
                parts += [json.dumps(text[end : token.start()]), name]
                end = token.end()
        parts.append(json.dumps(text[end:]))
        return " + ".join(part for part in parts if part != '""') or '""'

    def _remember(self, expression: str, value: Any) -> None:
        match value:
            case CreateResponse(ref=handle) | ObjRef(ref=handle):
                self._names.setdefault(handle, expression)
            case InvokeResponse(result=result) | GetResponse(value=result):
                self._remember(expression, result)
            case list():
                for index, element in enumerate(value):
                    self._remember(f"{expression}[{index}]", element)
            case str() if _TOKEN.search(value):
                self._names.setdefault(value, expression)
            case float() if value < _ENCODED_NUMBERS:
                self._names.setdefault(repr(value), expression)
            case _:
                pass


def _name(fqn: str) -> str:
    module, _, member = fqn.partition(".")
    return f"{MODULES[module]}.{member}"


@contextmanager
def recording() -> Iterator[Twin]:
    """Write down, as JavaScript, what the block does with the CDK."""
    twin = Twin()
    with listening(twin.hear):
        yield twin
