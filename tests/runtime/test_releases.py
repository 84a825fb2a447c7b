"""Claims are freed as soon as the store takes it, and an attempt that did not begin is not counted."""

import pytest

from fargate_workers_runtime.pipeline.settling.releases import Releases
from fargate_workers_runtime.testing import Clock, MemoryClaims


class Unreliable(MemoryClaims):
    """Claims whose store is away while `down`."""

    def __init__(self) -> None:
        super().__init__(clock=Clock())
        self.down = False
        self.asked = 0

    def release(self, key: str, *, owner: str, begun: bool = True) -> None:
        self.asked += 1
        if self.down:
            raise ConnectionError("no answer")
        super().release(key, owner=owner, begun=begun)


def of_message(claims: MemoryClaims, *, owner: str) -> int | None:
    claim = claims.claim("k", owner=owner, seconds=60, message_id="m")
    return claim.of_message if claim.state == "granted" else None


@pytest.mark.parametrize("begun", [False, True])
def test_what_could_not_be_freed_is_freed_before_the_store_counts_as_available(begun: bool) -> None:
    claims = Unreliable()
    releases = Releases(claims)
    assert of_message(claims, owner="a") == 1
    claims.down = True
    releases.release("k", owner="a", begun=begun)
    with pytest.raises(ConnectionError):
        releases.check()
    assert of_message(claims, owner="b") is None
    claims.down = False
    releases.check()
    assert of_message(claims, owner="b") == (2 if begun else 1)
    releases.check()
    releases.beat()
    assert claims.asked == 3


def test_a_beat_frees_it_too_and_does_not_mind_a_store_that_is_away(caplog: pytest.LogCaptureFixture) -> None:
    claims = Unreliable()
    releases = Releases(claims)
    for _ in range(2):
        of_message(claims, owner="a")
        claims.down = True
        releases.release("k", owner="a", begun=False)
        releases.beat()
        claims.down = False
        releases.beat()
        assert of_message(claims, owner="b") == 1
        releases.release("k", owner="b", begun=False)
    assert caplog.messages == ["release_failed"] * 4


def test_a_late_release_does_not_free_anothers_claim() -> None:
    claims = Unreliable()
    releases = Releases(claims)
    of_message(claims, owner="a")
    claims.down = True
    releases.release("k", owner="a", begun=False)
    claims.down = False
    claims.release("k", owner="a")
    assert of_message(claims, owner="b") == 2
    releases.beat()
    assert of_message(claims, owner="c") is None
