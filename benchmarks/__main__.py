"""`python -m benchmarks`: every measurement, one after the other; exit code 1 when a promise is not kept."""

import runpy
import sys

PARTS = (
    "benchmarks.synth",
    "benchmarks.worker",
    "benchmarks.sql",
    "benchmarks.scaling",
    "benchmarks.operations",
    "benchmarks.local",
)


def main() -> int:
    failed = 0
    for part in PARTS:
        try:
            runpy.run_module(part, run_name="__main__", alter_sys=True)
        except SystemExit as done:
            failed = failed or int(done.code or 0)
    return failed


if __name__ == "__main__":
    sys.exit(main())
