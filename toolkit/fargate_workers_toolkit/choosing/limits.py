"""The limits that decide, each with the page that states it.

The pages were read in November 2026. What no page states is marked as such, and so it is shown.
"""

from fargate_workers_toolkit.choosing.gauges import Limit

MEBIBYTE = 2**20
GIBIBYTE = 2**30

_SQS_QUOTAS = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"
_SQS_API = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/"
_SNS_API = "https://docs.aws.amazon.com/sns/latest/api/"
_MSK_QUOTAS = "https://docs.aws.amazon.com/msk/latest/developerguide/limits.html"
_LAMBDA_QUOTAS = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"
_ARTICLE = "typical figure of an article; AWS promises none"

# SQS
SQS_BYTES = Limit(most=MEBIBYTE, source=f"{_SQS_API}API_SendMessage.html")
SQS_BATCH = 10
SQS_CHUNK = 64 * 2**10
SQS_IN_FLIGHT = Limit(most=120_000, source=f"{_SQS_API}API_ReceiveMessage.html")
SQS_VISIBILITY = Limit(most=12 * 3_600, source=f"{_SQS_API}API_ChangeMessageVisibility.html")
SQS_DELETES = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html"
SQS_STANDARD_ORDER = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues.html"
#: Calls a second of one kind on a high-throughput queue in us-east-1, us-west-2 and eu-west-1; a batch is one call.
FIFO_CALLS = Limit(most=70_000, source=_SQS_QUOTAS)
#: The same for one partition, and so for one message group; without high throughput it is the limit of the whole queue.
FIFO_GROUP_CALLS = Limit(most=300, source=_SQS_QUOTAS)

# SNS
SNS_BYTES = Limit(most=256 * 2**10, source=f"{_SNS_API}API_Publish.html")
SNS_MESSAGES = Limit(most=30_000, source="https://docs.aws.amazon.com/general/latest/gr/sns.html")
SNS_FIFO_MESSAGES = Limit(most=3_000, source=f"{_SNS_API}API_CreateTopic.html")
#: Megabytes a second.
SNS_FIFO_MEGABYTES = Limit(most=20, source=f"{_SNS_API}API_CreateTopic.html")
SNS_FIFO_SUBSCRIPTIONS = Limit(most=100, source="https://aws.amazon.com/sns/features/")

# Kafka
#: What a topic takes unless its max.message.bytes is raised; no limit.
KAFKA_BYTES = Limit(most=1_048_588, source="https://kafka.apache.org/documentation/#topicconfigs_max.message.bytes")
SERVERLESS_BYTES = Limit(most=8 * MEBIBYTE, source=_MSK_QUOTAS)
#: Of EBS, AWS advises to act at 85 %.
KAFKA_DISK_FILL = 0.85
KAFKA_COPIES = 3
#: Gigabytes.
STANDARD_DISK = Limit(most=16_384 * GIBIBYTE / 1e9, source=_MSK_QUOTAS)
KAFKA_BROKERS = Limit(most=60, source=_MSK_QUOTAS)
#: The sizes of m7g brokers in units of m7g.large.
KAFKA_SIZES = (1, 2, 4, 8, 16, 24, 32)
#: Megabytes a second of an m7g.large broker, as those below.
EXPRESS_IN = Limit(most=15.6, source="https://docs.aws.amazon.com/msk/latest/developerguide/bestpractices-express.html")
EXPRESS_OUT = Limit(most=31.2, source=EXPRESS_IN.source)
#: AWS gives 153.8 MB/s for kafka.m7g.16xlarge; a thirty-second part of it.
STANDARD_IN = Limit(
    most=153.8 / KAFKA_SIZES[-1],
    source="https://docs.aws.amazon.com/msk/latest/developerguide/msk-broker-types-express.html",
)
SERVERLESS_IN = Limit(most=200, source=_MSK_QUOTAS)
SERVERLESS_OUT = Limit(most=400, source=_MSK_QUOTAS)
SERVERLESS_PARTITIONS = Limit(most=2_400, source=_MSK_QUOTAS)
SERVERLESS_PARTITION_IN = Limit(most=5, source=_MSK_QUOTAS)
SERVERLESS_PARTITION_OUT = Limit(most=10, source=_MSK_QUOTAS)
SERVERLESS_GROUPS = Limit(most=500, source=_MSK_QUOTAS)

# Redis
REDIS_LOSS = "https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Replication.html"
REDIS_GROUPS = "https://redis.io/docs/latest/commands/xreadgroup/"
REDIS_POP = "https://redis.io/docs/latest/commands/lmove/"
#: Messages a second, received and ended in tens, on one core over loopback; not measured on ElastiCache.
STREAM_MESSAGES = Limit(most=34_600, source="measured by this project on loopback, not on ElastiCache")
LIST_MESSAGES = Limit(most=78_800, source="measured by this project on loopback, not on ElastiCache")
#: Entries, and days for which they stay: the bounds of RedisStream.
STREAM_LENGTH = Limit(most=100_000_000, source="this library")
STREAM_DAYS = Limit(most=30, source="this library")
REDIS_NODES = "https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheNodes.SupportedTypes.html"
#: A quarter stays free for snapshots and failovers.
REDIS_FILL = 0.75
SMALL_NODE_BYTES = 1.37 * GIBIBYTE
LARGE_NODE_BYTES = 6.38 * GIBIBYTE
#: The sizes of m7g in units of cache.m7g.large.
NODE_SIZES = (1, 2, 4, 8, 16, 24, 32)
#: Gigabytes.
REDIS_MEMORY = Limit(most=REDIS_FILL * LARGE_NODE_BYTES * NODE_SIZES[-1] / 1e9, source=REDIS_NODES)

# Workers
LAMBDA_SECONDS = Limit(most=900, source=_LAMBDA_QUOTAS)
LAMBDA_CONCURRENCY = Limit(most=1_000, source="https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html")
KEDA_REDIS = "https://keda.sh/docs/latest/scalers/redis-streams/"

# Seconds from a send to a handler, in an idle system.
SQS_LATENCY = Limit(most=0.010, source=_ARTICLE)
SNS_LATENCY = Limit(most=0.040, source="believed; nobody promises a figure")
KAFKA_LATENCY = Limit(most=0.015, source=_ARTICLE)
REDIS_LATENCY = Limit(most=0.001, source=_ARTICLE)
