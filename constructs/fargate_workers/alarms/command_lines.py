"""Long shell commands on lines that a person can read and paste."""

import re

WIDTH = 100
_INDENT = "  "
_COMMAND = re.compile(r"`((?:aws|eval) [^`]+)`")


def wrapped(command: str, *, width: int = WIDTH) -> str:
    """The command, broken before its options by a backslash, and within its quoted JSON or query after a comma.

    Args:
        command: One line. It may run others in `$(...)`.
        width: The longest line, in characters, as far as there is a place to break.
    """
    if len(command) <= width:
        return command
    lines: list[str] = []
    line, quoted = "", False
    for piece in re.split(r"(?<=,)(?=[\"{])|(?<=[:,] )|(?= --)|(?= &&)", command):
        end = "" if quoted else " \\"
        if line and len(line) + len(piece) + len(end) > width and (quoted or piece.startswith(" ")):
            lines.append(line.rstrip() + end)
            line = _INDENT + piece.lstrip()
        else:
            line += piece
        quoted ^= piece.count("'") % 2 == 1
    return "\n".join([*lines, line])


def step(text: str, *, indent: str, width: int = WIDTH) -> str:
    """A step of a list, with each command that is longer than a line in a block of its own.

    Args:
        text: The step, with commands in backticks.
        indent: What the lines after the first begin with, so that they belong to the step.
        width: The longest line of a command, in characters.
    """
    parts: list[str] = []
    for number, part in enumerate(_COMMAND.split(text)):
        is_command = number % 2 == 1
        if is_command and len(part) > width:
            parts += [_introduced(parts.pop()), f"```sh\n{wrapped(part, width=width - len(indent))}\n```"]
        elif is_command:
            parts[-1] += f"`{part}`"
        elif parts and not parts[-1].endswith("```"):
            parts[-1] += part
        else:
            parts.append(part if not parts else _continued(part))
    return "\n\n".join(part for part in parts if part).replace("\n", f"\n{indent}").replace(f"\n{indent}\n", "\n\n")


def _introduced(text: str) -> str:
    text = text.rstrip()
    return text if not text or text[-1] in ".:?" else f"{text}:"


def _continued(text: str) -> str:
    """What follows a block, as a sentence of its own."""
    text = text.lstrip(".,; ")
    return text[:1].upper() + text[1:]


def logs_command(log_group_name: str) -> str:
    """The command that shows the last hour of a log group."""
    return f"aws logs tail --since 1h {log_group_name}"
