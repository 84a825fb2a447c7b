"""The cache, who may connect to it, and how much."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from aws_cdk import App, Duration, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk.assertions import Match, Template

from fargate_workers.stores.redis_cache import RedisCache

REPLICATION_GROUP = "AWS::ElastiCache::ReplicationGroup"


class Task:
    """A task of another stack that remembers what it was granted."""

    def __init__(self, stack: Stack, id: str, *, vpc: ec2.IVpc, max_tasks: int = 10) -> None:
        self.name, self.max_tasks = id, max_tasks
        self.allowed: list[tuple[list[str], list[str]]] = []
        self.environment: dict[str, str] = {}
        group = ec2.SecurityGroup(stack, id, vpc=vpc, allow_all_outbound=False)
        self.connections = ec2.Connections(security_groups=[group])

    def allow(self, actions: Any, resources: Any) -> None:
        self.allowed.append((list(actions), list(resources)))

    def add_environment(self, name: str, value: str) -> None:
        self.environment[name] = value


@dataclass
class Synthesized:
    app: App = field(default_factory=App)

    def __post_init__(self) -> None:
        data, workers = Stack(self.app, "Data"), Stack(self.app, "Workers")
        vpc = ec2.Vpc.from_vpc_attributes(
            data, "Vpc", vpc_id="vpc-1", availability_zones=["eu-west-1a", "eu-west-1b"], isolated_subnet_ids=["a", "b"]
        )
        self.cluster: Any = SimpleNamespace(vpc=vpc, subnets=["subnet-a", "subnet-b"], alerts=None, environment="test")
        self.cache = RedisCache(data, "Cache", cluster=self.cluster)
        self.locks = RedisCache(
            data,
            "Locks",
            cluster=self.cluster,
            eviction="noeviction",
            node_type="cache.r7g.large",
            multi_az=False,
            snapshot_retention=Duration.days(15),
            encryption_key=kms.Key(data, "Key"),
            removal_policy=RemovalPolicy.RETAIN,
        )
        self.task = Task(workers, "Orders", vpc=vpc)
        self.cache.grant_connect(self.task)
        self.data, self.workers = data, workers
        self.template, self.workers_template = Template.from_stack(data), Template.from_stack(workers)

    def group(self, purpose: str) -> dict[str, Any]:
        found = self.template.find_resources(
            REPLICATION_GROUP, {"Properties": {"ReplicationGroupDescription": f"Valkey for {purpose}"}}
        )
        return dict(next(iter(found.values())))


@pytest.fixture(scope="module")
def synthesized() -> Synthesized:
    return Synthesized()


def test_a_cache_is_the_smallest_valkey_with_a_replica_in_another_zone(synthesized: Synthesized) -> None:
    properties = synthesized.group("cache")["Properties"]

    assert (properties["Engine"], properties["EngineVersion"]) == ("valkey", "9.1")
    assert properties["CacheNodeType"] == "cache.t4g.micro"
    assert properties["NumCacheClusters"] == 2
    assert properties["MultiAZEnabled"] is True
    assert properties["AutomaticFailoverEnabled"] is True
    assert properties["AutoMinorVersionUpgrade"] is True


def test_a_cache_is_encrypted_at_rest_and_in_transit(synthesized: Synthesized) -> None:
    properties = synthesized.group("cache")["Properties"]

    assert properties["AtRestEncryptionEnabled"] is True
    assert (properties["TransitEncryptionEnabled"], properties["TransitEncryptionMode"]) == (True, "required")
    assert "KmsKeyId" not in properties


def test_a_cache_listens_on_a_port_of_its_own(synthesized: Synthesized) -> None:
    assert synthesized.group("cache")["Properties"]["Port"] == 6380


def test_a_cache_keeps_seven_daily_snapshots_and_a_last_one(synthesized: Synthesized) -> None:
    group = synthesized.group("cache")

    assert group["Properties"]["SnapshotRetentionLimit"] == 7
    assert (group["DeletionPolicy"], group["UpdateReplacePolicy"]) == ("Snapshot", "Snapshot")


def test_a_cache_evicts_and_locks_never_do(synthesized: Synthesized) -> None:
    for description, policy in (("Valkey for cache", "allkeys-lru"), ("Valkey for locks", "noeviction")):
        synthesized.template.has_resource_properties(
            "AWS::ElastiCache::ParameterGroup",
            {
                "CacheParameterGroupFamily": "valkey9",
                "Description": description,
                "Properties": {"maxmemory-policy": policy, "timeout": "300"},
            },
        )


def test_the_only_user_signs_in_with_iam_and_has_no_password(synthesized: Synthesized) -> None:
    users = synthesized.template.find_resources("AWS::ElastiCache::User")
    (logical_id,) = (name for name in users if name.startswith("Cache"))
    user_name = users[logical_id]["Properties"]["UserId"]

    synthesized.template.has_resource_properties(
        "AWS::ElastiCache::User",
        {
            "Engine": "valkey",
            "UserId": user_name,
            "UserName": user_name,
            "AuthenticationMode": {"Type": "iam"},
            "AccessString": "on ~* &* +@all -@dangerous +info",
            "Passwords": Match.absent(),
            "NoPasswordRequired": Match.absent(),
        },
    )
    synthesized.template.has_resource_properties(
        "AWS::ElastiCache::UserGroup", {"Engine": "valkey", "UserGroupId": user_name, "UserIds": [{"Ref": logical_id}]}
    )


def test_user_names_are_what_elasticache_accepts_and_differ_between_caches(synthesized: Synthesized) -> None:
    users = synthesized.template.find_resources("AWS::ElastiCache::User").values()
    begin = {user["Properties"]["UserId"]["Fn::Join"][1][0] for user in users}

    assert len(begin) == 2
    for name in begin:
        assert name == name.lower()
        assert name[0].isalpha()
        assert name.removesuffix("-").isalnum()
        assert len(name) + len("0123abcd") <= 40


def test_a_stack_that_is_made_again_has_users_of_other_names(synthesized: Synthesized) -> None:
    properties = next(iter(synthesized.template.find_resources("AWS::ElastiCache::User").values()))["Properties"]
    uuid = {"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]}

    assert properties["UserId"]["Fn::Join"][1][1] == {"Fn::Select": [0, {"Fn::Split": ["-", uuid]}]}


def test_the_cache_reaches_nothing_and_lives_in_the_clusters_subnets(synthesized: Synthesized) -> None:
    for group in synthesized.template.find_resources("AWS::EC2::SecurityGroup").values():
        (rule,) = group["Properties"]["SecurityGroupEgress"]
        assert rule["CidrIp"] == "255.255.255.255/32"  # the CDK's way to say: nowhere
    synthesized.template.has_resource_properties(
        "AWS::ElastiCache::SubnetGroup",
        {"SubnetIds": ["subnet-a", "subnet-b"], "CacheSubnetGroupName": Match.absent()},
    )


def test_a_cache_in_one_zone_has_one_node_and_no_failover(synthesized: Synthesized) -> None:
    properties = synthesized.group("locks")["Properties"]

    assert properties["NumCacheClusters"] == 1
    assert (properties["MultiAZEnabled"], properties["AutomaticFailoverEnabled"]) == (False, False)


def test_a_cache_takes_a_node_type_a_key_and_more_snapshots(synthesized: Synthesized) -> None:
    properties = synthesized.group("locks")["Properties"]

    assert properties["CacheNodeType"] == "cache.r7g.large"
    assert properties["SnapshotRetentionLimit"] == 15
    assert "Fn::GetAtt" in properties["KmsKeyId"]


def test_a_retained_cache_keeps_what_it_stands_on(synthesized: Synthesized) -> None:
    resources = synthesized.template.to_json()["Resources"]
    retained = [
        resource["Type"].rsplit("::")[-1]
        for logical_id, resource in resources.items()
        if resource.get("DeletionPolicy") == "RetainExceptOnCreate" and logical_id.startswith("Locks")
    ]

    assert sorted(retained) == [
        "ParameterGroup",
        "ReplicationGroup",
        "SecurityGroup",
        "SubnetGroup",
        "User",
        "UserGroup",
    ]


def test_connecting_takes_one_action_on_this_cache_and_this_user(synthesized: Synthesized) -> None:
    ((actions, resources),) = synthesized.task.allowed

    assert actions == ["elasticache:Connect"]
    assert [arn.split(":elasticache:")[1].split(":", 2)[2] for arn in resources] == [
        f"replicationgroup:{synthesized.cache.replication_group_id}",
        f"user:{synthesized.cache.user_name}",
    ]


def test_a_connecting_task_is_told_where_and_how(synthesized: Synthesized) -> None:
    environment = synthesized.task.environment

    assert environment["REDIS_HOST"] == synthesized.cache.host
    assert environment["REDIS_PORT"] == synthesized.cache.port
    assert environment["REDIS_TLS"] == "true"
    assert environment["REDIS_USER"] == synthesized.cache.user_name
    assert environment["REDIS_REPLICATION_GROUP_ID"] == synthesized.cache.replication_group_id
    assert environment["REDIS_MAX_CONNECTIONS"] == "50"


def test_the_rules_that_open_the_cache_live_with_the_task(synthesized: Synthesized) -> None:
    port = {"FromPort": 6380, "ToPort": 6380, "IpProtocol": "tcp"}

    synthesized.workers_template.has_resource_properties("AWS::EC2::SecurityGroupIngress", port)
    synthesized.workers_template.has_resource_properties("AWS::EC2::SecurityGroupEgress", port)
    synthesized.template.resource_count_is("AWS::EC2::SecurityGroupIngress", 0)


def test_a_cache_watches_itself(synthesized: Synthesized) -> None:
    names = {alarm.node.id for alarm in synthesized.cache.alarms.values()}

    assert names == {"RedisBusy", "RedisEvictions", "RedisConnectionsHigh", "RedisReplicationLag"}
    refused = {alarm.node.id for alarm in synthesized.locks.alarms.values()} - names
    assert refused == {"RedisMemoryHigh", "RedisMemoryFull"}
    synthesized.template.has_resource_properties("AWS::CloudWatch::Alarm", {"Threshold": 16_000})


def test_workers_that_could_open_too_many_connections_are_refused(synthesized: Synthesized) -> None:
    stack = Stack(synthesized.app, "Crowd")
    cache = RedisCache(stack, "Cache", cluster=synthesized.cluster)
    vpc = synthesized.cluster.vpc
    cache.grant_connect(Task(stack, "Orders", vpc=vpc, max_tasks=100), connections_per_task=60)

    with pytest.raises(ValueError, match=r"Orders 2 x 100 tasks x 60 = 12000, Reports 2 x 50 tasks x 41 = 4100"):
        cache.grant_connect(Task(stack, "Reports", vpc=vpc, max_tasks=50), connections_per_task=41)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"eviction": "queue"}, "Cache: eviction is 'queue'; use one of allkeys-lru, noeviction"),
        ({"replicas": 0}, "Cache: replicas is 0; use 1 to 5 with multi_az=True"),
        ({"replicas": 6, "multi_az": False}, "Cache: replicas is 6; use 0 to 5 with multi_az=False"),
        ({"snapshot_retention": Duration.days(36)}, "Cache: snapshot_retention is 36 days; use 0 to 35 whole days"),
        ({"snapshot_retention": Duration.hours(25)}, "Cache: snapshot_retention is 25 hours; use 0 to 35 whole days"),
        ({"node_type": "t4g.micro"}, '"t4g.micro" is not a cache node type'),
    ],
)
def test_an_impossible_cache_is_refused(synthesized: Synthesized, arguments: dict[str, Any], message: str) -> None:
    stack = Stack(App(), "Wrong")

    with pytest.raises(ValueError, match=message):
        RedisCache(stack, "Cache", cluster=synthesized.cluster, **arguments)
