"""The settings of the launcher."""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The emulator's settings: where it listens, what it runs, and how long a minute takes.

    Args:
        directory: Receives everything that the run writes.
        assembly: The synthesized cloud assembly.
        python: The interpreter of containers.
        port: The port on loopback.
        account: The account that is served.
        region: The region that is served.
        seconds_per_minute: How long a minute takes. None: until it is ended by hand.
        owned: Whether the launcher ends when standard input closes. Defaults to False.
    """

    directory: Path
    assembly: Path
    python: Path
    port: int
    account: str
    region: str
    seconds_per_minute: float | None
    owned: bool = False

    @property
    def endpoint(self) -> str:
        """The launcher's own address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def metrics_seconds(self) -> int:
        """How often workers write their metrics: once a minute, and not more than once a second."""
        return max(1, min(60, round(self.seconds_per_minute or 60)))

    @property
    def containers(self) -> Path:
        """The folder of the tasks' folders."""
        return self.directory / "containers"

    @classmethod
    def from_arguments(cls, arguments: list[str]) -> "Settings":
        """Read the command line."""
        parser = argparse.ArgumentParser(prog="fargate_workers_toolkit.local.emulator", description=__doc__)
        parser.add_argument("--directory", type=Path, required=True, help="everything this run writes goes here")
        parser.add_argument("--assembly", type=Path, required=True, help="the synthesized cloud assembly")
        parser.add_argument("--python", type=Path, required=True, help="the interpreter containers run with")
        parser.add_argument("--port", type=int, required=True)
        parser.add_argument("--account", required=True)
        parser.add_argument("--region", required=True)
        parser.add_argument("--seconds-per-minute", type=float, help="default: until POST /_local/minutes ends it")
        parser.add_argument("--owned", action="store_true", help="end when standard input closes")
        return cls(**vars(parser.parse_args(arguments)))

    def export(self) -> None:
        """Set the variables that MiniStack reads while it is imported."""
        os.environ.update(
            {
                "BIND_HOST": "127.0.0.1",
                "GATEWAY_PORT": str(self.port),
                "MINISTACK_HOST": "127.0.0.1",
                "MINISTACK_ACCOUNT_ID": self.account,
                "MINISTACK_REGION": self.region,
                "STATE_DIR": str(self.directory / "state"),
                "S3_DATA_DIR": str(self.directory / "s3"),
                "TMPDIR": str(self.directory),
                "IOT_MTLS_ENABLED": "0",
                "SFTP_ENABLED": "0",
                "LOG_LEVEL": "WARNING",
                # No container daemon is ever asked, even where there is one.
                "DOCKER_HOST": "unix:///nonexistent",
                "AWS_ACCESS_KEY_ID": self.account,
                "AWS_SECRET_ACCESS_KEY": "local",
                "AWS_DEFAULT_REGION": self.region,
            }
        )
