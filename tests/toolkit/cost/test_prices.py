"""Every price has its unit, region, date and source, and a bill is the sum of its lines."""

from datetime import date
from urllib.parse import urlsplit

import pytest

from fargate_workers_toolkit.cost import DAYS, HOURS, Bill, Line, prices_of, read_prices

PRICES = read_prices()


@pytest.mark.parametrize("name", PRICES.all)
def test_a_price_names_unit_region_date_and_source(name: str) -> None:
    price = PRICES[name]

    assert price.dollars > 0
    assert price.per in (1, 1_000_000)
    assert price.unit
    assert price.region == "us-east-1"
    assert isinstance(price.date, date)
    assert urlsplit(price.source).hostname == "aws.amazon.com"
    assert price.seen
    assert price.status in ("confirmed", "reported", "unconfirmed")


def test_what_was_found_nowhere_is_marked() -> None:
    unsure = {name for name, price in PRICES.all.items() if price.status != "confirmed"}

    assert unsure == {
        "msk.express_gigabyte_in",
        "msk.express_gigabyte_month",
        "msk.express_large_hour",
        "msk.standard_large_hour",
    }


def test_a_price_may_have_a_date_of_its_own() -> None:
    text = """
        region = "eu-west-1"
        date = 2026-01-02

        [sqs.request]
        dollars = 0.4
        per = 1_000_000
        unit = "requests"
        source = "https://aws.amazon.com/sqs/pricing/"
        seen = "here"
        status = "confirmed"
        date = 2026-03-04
        """

    price = prices_of(text)["sqs.request"]

    assert (price.region, price.date) == ("eu-west-1", date(2026, 3, 4))


def test_a_month_has_730_hours_and_a_twelfth_of_a_year() -> None:
    assert pytest.approx(24 * DAYS) == HOURS


def test_a_bill_is_the_sum_of_its_lines_and_names_what_is_not_sure() -> None:
    requests = Line(what="sending", quantity=2_000_000, price=PRICES["sqs.standard_request"])
    brokers = Line(what="brokers", quantity=10, price=PRICES["msk.standard_large_hour"])

    bill = Bill((requests,)).plus([brokers, brokers])

    assert bill.dollars == pytest.approx(0.80 + 2 * 2.04)
    assert [price.name for price in bill.unsure] == ["msk.standard_large_hour"]
