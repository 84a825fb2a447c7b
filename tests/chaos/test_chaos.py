"""The chaos run itself. CHAOS_MESSAGES and CHAOS_SEED change it; `python -m tests.chaos` shows it."""

import os
import random
from pathlib import Path

from tests.chaos.checker import table
from tests.chaos.run import run


def test_whatever_dies_nothing_is_lost_and_nothing_happens_twice(tmp_path: Path) -> None:
    messages = int(os.environ.get("CHAOS_MESSAGES") or 10_000)
    seed = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(1_000_000))
    result = run(messages, seed=seed, folder=tmp_path)
    print(f"seed {seed}\n{table(result.verdict, result.facts.items())}")
    examples = {outcome: result.verdict.of(outcome)[:10] for outcome in result.verdict.bad}
    assert result.good, f"CHAOS_SEED={seed}: {examples}, exit codes {result.wrong_exits}"
    counts = result.verdict.counts
    assert counts["done"] + counts["window"] + counts["dead"] == messages
    assert result.facts["of them killed from outside"] > messages / 2_000
    assert result.facts["dead letters redriven"] > 0
