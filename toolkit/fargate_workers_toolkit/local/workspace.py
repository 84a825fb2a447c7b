"""The folder of a local run: `.local/` next to cdk.json."""

from dataclasses import dataclass
from pathlib import Path

from fargate_workers_toolkit.errors import LocalError


@dataclass(frozen=True)
class Workspace:
    """The paths of an app's local runs: `.local/run` goes with its run, and the rest is kept for the next one.

    Args:
        root: The folder with cdk.json.
        name: A run of another name has folders of its own and shares the rest. Defaults to `run`.
        assembly_name: The folder of its assembly. Defaults to `cdk.out`.
    """

    root: Path
    name: str = "run"
    assembly_name: str = "cdk.out"

    @classmethod
    def here(cls, directory: Path | None = None) -> "Workspace":
        """Return the workspace of an app.

        Args:
            directory: A folder of the app. Defaults to the working directory.

        Raises:
            LocalError: Neither the folder nor one above it has a cdk.json.
        """
        start = (directory or Path.cwd()).resolve()
        for folder in (start, *start.parents):
            if (folder / "cdk.json").is_file():
                return cls(folder)
        raise LocalError(f"There is no cdk.json in {start} or above; run the command inside a CDK app.")

    @property
    def local(self) -> Path:
        """The folder of all runs."""
        return self.root / ".local"

    def prepare(self) -> None:
        """Make `.local`, which version control and the app's own digest leave out."""
        self.local.mkdir(parents=True, exist_ok=True)
        ignore = self.local / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")

    @property
    def venv(self) -> Path:
        """The environment of the embedded AWS."""
        return self.local / "venv"

    @property
    def assembly(self) -> Path:
        """The synthesized assembly."""
        return self.local / self.assembly_name

    @property
    def synthesis(self) -> Path:
        """What the assembly was synthesized from, and which of its stacks run."""
        return self.assembly / "synthesis.json"

    @property
    def home(self) -> Path:
        """HOME for the CDK CLI, which remembers account ids per access key there."""
        return self.local / "home"

    @property
    def run(self) -> Path:
        """The folder of the run."""
        return self.local / self.name

    @property
    def lock(self) -> Path:
        """The file that a command holds while it changes the run."""
        return self.local / f"{self.name}.lock"

    @property
    def state(self) -> Path:
        """The file that remembers the launcher."""
        return self.run / "state.json"

    @property
    def launcher_log(self) -> Path:
        """What the launcher writes."""
        return self.run / "launcher.log"

    @property
    def cdk_log(self) -> Path:
        """What the CDK CLI writes."""
        return self.run / "cdk.log"

    @property
    def containers(self) -> Path:
        """The folder of the tasks' folders."""
        return self.run / "containers"

    @property
    def certificate_authority(self) -> Path:
        """The authority that signed the servers' certificates."""
        return self.run / "certificates" / "ca.pem"
