"""The program `fargate-workers`: imports the command, or names the extra that it needs."""

import sys
from importlib import import_module

from fargate_workers_toolkit.errors import MissingPackageError


def main() -> None:
    """Run the command; ends with 2 where a package of the extra `toolkit` is missing or does not fit."""
    try:
        command = import_module("fargate_workers_toolkit.command")
    except ImportError as error:
        missing = MissingPackageError.of(error)
        sys.stderr.write(f"{missing}\n")
        sys.exit(missing.exit_code)
    command.main()


if __name__ == "__main__":
    main()
