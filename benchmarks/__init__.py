"""What the README promises, measured: `python -m benchmarks`, or one of its parts."""
