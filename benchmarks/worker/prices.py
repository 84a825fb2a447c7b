"""What a million messages cost: list prices in US East (N. Virginia), in dollars, without free tiers."""

#: A million requests to a standard queue. https://aws.amazon.com/sqs/pricing/
SQS_REQUESTS = 0.40
#: A million write request units of an on-demand table. https://aws.amazon.com/dynamodb/pricing/on-demand/
DYNAMODB_WRITE_UNITS = 0.625
#: An hour of one vCPU on Linux and x86. https://aws.amazon.com/fargate/pricing/
FARGATE_VCPU_HOUR = 0.04048


def dollars_per_million(*, requests: float, write_units: float = 0.0, cpu_milliseconds: float) -> float:
    """Of a million messages that take so much each. What is there anyway, as a Redis node, costs nothing more.

    >>> round(dollars_per_million(requests=0.2, write_units=2, cpu_milliseconds=0.5), 2)
    1.34
    """
    hours = cpu_milliseconds * 1_000_000 / 3_600_000
    return requests * SQS_REQUESTS + write_units * DYNAMODB_WRITE_UNITS + hours * FARGATE_VCPU_HOUR
