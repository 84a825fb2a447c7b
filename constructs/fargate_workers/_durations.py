"""Durations made once: each `Duration.seconds(60)` is a round trip to the CDK's Node process."""

from functools import cache

from aws_cdk import Duration


@cache
def seconds(amount: int) -> Duration:
    return Duration.seconds(amount)


@cache
def minutes(amount: int) -> Duration:
    return Duration.minutes(amount)


@cache
def days(amount: int) -> Duration:
    return Duration.days(amount)
