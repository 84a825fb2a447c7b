"""Small replays that are killed; `python -m tests.chaos.replays` has the large ones."""

import pytest

from tests.chaos.replays import NO_ACCOUNT, play


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "FIFO"])
def test_nothing_is_lost_and_nothing_doubled(fifo: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in NO_ACCOUNT.items():
        monkeypatch.setenv(name, value)
    result = play(letters=4, fifo=fifo, seed=3)

    assert result.is_kept(fifo=fifo), result
    assert result.kills > 0
