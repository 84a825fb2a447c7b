"""`python -m fargate_workers_toolkit.local.emulator`: what `local up` starts with the interpreter of `.local/venv`."""

import sys

from fargate_workers_toolkit.local.emulator.settings import Settings


def main() -> None:
    """Read the arguments, then import MiniStack and serve."""
    settings = Settings.from_arguments(sys.argv[1:])
    settings.export()
    # Only now: MiniStack reads its environment while it is imported.
    from fargate_workers_toolkit.local.emulator.launcher import launch  # noqa: PLC0415

    launch(settings)


if __name__ == "__main__":
    main()
