"""Build one system and synthesize it, as a process of its own: the Python side of every measurement."""

import argparse
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.synth.messages import counting
from benchmarks.synth.twin import recording

ROOT = Path(__file__).parents[2]


def main() -> None:
    arguments = _arguments()
    with ExitStack() as watching:
        messages = watching.enter_context(counting()) if arguments.messages else None
        twin = watching.enter_context(recording()) if arguments.twin else None
        _build(arguments)
    if messages is not None:
        counted = {
            "total": messages.total,
            "callbacks": messages.callbacks,
            "synth": messages.count("invoke", "synth"),
            "by_kind": messages.by_kind(),
            "resources": _resources(arguments.outdir),
        }
        arguments.messages.write_text(json.dumps(counted), encoding="utf-8")
    if twin is not None:
        twin.write(arguments.twin, outdir=str(arguments.outdir))


def _build(arguments: argparse.Namespace) -> None:
    # Imported only now, so that messages sent at import are heard as well.
    from aws_cdk import App, Validations  # noqa: PLC0415

    from benchmarks.synth import system  # noqa: PLC0415

    context: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    app = App(outdir=str(arguments.outdir), context=context)
    for number in range(arguments.environments):
        system.SYSTEMS[arguments.system](system.stage(app, number), workers=arguments.workers)
    if arguments.strict:
        import cdk_nag  # noqa: PLC0415

        packs = (
            cdk_nag.AwsSolutionsChecks,
            cdk_nag.HIPAASecurityChecks,
            cdk_nag.NIST80053R5Checks,
            cdk_nag.PCIDSS321Checks,
            cdk_nag.ServerlessChecks,
        )
        Validations.of(app).add_plugins(*(pack(app) for pack in packs))
    app.synth()


def _resources(outdir: Path) -> int:
    templates = outdir.rglob("*.template.json")
    return sum(len(json.loads(template.read_text(encoding="utf-8")).get("Resources", {})) for template in templates)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("system")
    parser.add_argument("outdir", type=Path, help="where the cloud assembly goes")
    parser.add_argument("--environments", type=int, default=1)
    parser.add_argument("--workers", type=int, default=10, help="of each environment")
    parser.add_argument("--strict", action="store_true", help="with cdk-nag's five packs")
    parser.add_argument("--messages", type=Path, help="write the number of messages there")
    parser.add_argument("--twin", type=Path, help="write the JavaScript twin there")
    return parser.parse_args()


if __name__ == "__main__":
    main()
