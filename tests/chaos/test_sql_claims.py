"""Workers in several processes, with duplicates, failures and a crash of the primary: each key has one effect."""

from tests.chaos.sql import Scene, play


def test_each_distinct_key_has_exactly_one_effect() -> None:
    scene = Scene(processes=3, messages=300)
    result = play(scene)
    assert (result.orders, result.distinct_orders, result.claims) == (scene.distinct,) * 3
    assert result.dead_letters == 0
    assert result.restarts == 1


def test_the_messages_of_a_scene_have_so_many_distinct_keys() -> None:
    scene = Scene(processes=8, messages=100, duplicates=0.3)
    shares = scene.shares()
    assert [len(share) for share in shares] == [100] * 8
    assert len({body["order_id"] for share in shares for body in share}) == scene.distinct == 560
