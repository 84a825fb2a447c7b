"""Where a local run keeps its things: `.local/` in the repository."""

from dataclasses import dataclass
from pathlib import Path

from fargate_workers_toolkit.local.errors import LocalError


@dataclass(frozen=True)
class Workspace:
    """Paths only. `.local/run` holds one run and goes with it; the rest is kept to be fast the next time.

    A run of another name lives beside it and shares the rest, if need be with an assembly of its own.
    """

    root: Path
    name: str = "run"
    assembly_name: str = "cdk.out"

    @classmethod
    def here(cls, directory: Path | None = None) -> "Workspace":
        """The repository that `directory` (default: the working directory) lies in."""
        start = (directory or Path.cwd()).resolve()
        for folder in (start, *start.parents):
            if (folder / "cdk.json").is_file():
                return cls(folder)
        raise LocalError(f"There is no cdk.json in {start} or above; run the command inside the repository.")

    @property
    def local(self) -> Path:
        return self.root / ".local"

    @property
    def venv(self) -> Path:
        return self.local / "venv"

    @property
    def assembly(self) -> Path:
        return self.local / self.assembly_name

    @property
    def home(self) -> Path:
        """HOME for the CDK CLI, which remembers account ids per access key there."""
        return self.local / "home"

    @property
    def run(self) -> Path:
        return self.local / self.name

    @property
    def state(self) -> Path:
        return self.run / "state.json"

    @property
    def launcher_log(self) -> Path:
        return self.run / "launcher.log"

    @property
    def cdk_log(self) -> Path:
        return self.run / "cdk.log"

    @property
    def containers(self) -> Path:
        return self.run / "containers"

    @property
    def certificate_authority(self) -> Path:
        return self.run / "certificates" / "ca.pem"
