"""The command's subcommands, each thin: a file each, which is imported when its command is called."""

from fargate_workers_toolkit.commands.loading import COMMANDS, Command, load

__all__ = ["COMMANDS", "Command", "load"]
