"""How many connections a capacity bears, compared with AWS's table, and which capacities Aurora takes."""

import pytest

from fargate_workers.stores.aurora_capacity import check_capacity, max_connections

# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.setting-capacity.html
PUBLISHED = {1: 189, 4: 823, 8: 1_669, 16: 3_360, 32: 5_000, 64: 5_000, 128: 5_000}


@pytest.mark.parametrize(("max_acu", "published"), PUBLISHED.items())
def test_connections_are_those_that_aws_publishes_or_a_few_less(max_acu: int, published: int) -> None:
    assert 0.99 * published <= max_connections(min_acu=1, max_acu=max_acu) <= published


@pytest.mark.parametrize("min_acu", [0, 0.5])
@pytest.mark.parametrize(("max_acu", "published"), PUBLISHED.items())
def test_a_low_minimum_halves_the_most(min_acu: float, max_acu: int, published: int) -> None:
    assert max_connections(min_acu=min_acu, max_acu=max_acu) <= min(2_000, published)


def test_more_capacity_never_means_fewer_connections() -> None:
    series = [max_connections(min_acu=1, max_acu=half / 2) for half in range(2, 513)]

    assert series == sorted(series)
    assert series[0] > 0


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ((0.7, 4), "Orders: min_acu is 0.7; Aurora takes 0 to 256 ACU in steps of 0.5."),
        ((-0.5, 4), "Orders: min_acu is -0.5; Aurora takes 0 to 256 ACU in steps of 0.5."),
        ((0.5, 0.5), "Orders: max_acu is 0.5; Aurora takes 1 to 256 ACU in steps of 0.5."),
        ((0.5, 256.5), "Orders: max_acu is 256.5; Aurora takes 1 to 256 ACU in steps of 0.5."),
        ((8, 4), "Orders: min_acu (8) exceeds max_acu (4); lower it."),
    ],
)
def test_impossible_bounds_get_one_sentence(bounds: tuple[float, float], message: str) -> None:
    with pytest.raises(ValueError, match="Orders") as raised:
        check_capacity("Orders", min_acu=bounds[0], max_acu=bounds[1])

    assert str(raised.value) == message
