"""What a template's values are before anything is deployed."""

from typing import Any

import pytest

from fargate_workers_toolkit.templates.assembly import Assembly, Resource, Stack
from fargate_workers_toolkit.templates.values import Reference, Text, Unknown, Values, resources_in

QUEUE = {"Type": "AWS::SQS::Queue"}

SHOP = Stack(
    name="dev-Shop",
    environment="aws://111111111111/eu-west-1",
    template={
        "Parameters": {
            "Most": {"Type": "Number", "Default": 7},
            "Stage": {"Type": "String", "Default": "dev"},
            "Zones": {"Type": "CommaDelimitedList", "Default": "a, b"},
            "Secret": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/shop/secret"},
            "Asked": {"Type": "String"},
        },
        "Mappings": {"Sizes": {"dev": {"Most": 2}}},
        "Conditions": {
            "IsDev": {"Fn::Equals": [{"Ref": "Stage"}, "dev"]},
            "IsProd": {"Fn::Not": [{"Condition": "IsDev"}]},
            "IsAsked": {"Fn::Equals": [{"Ref": "Asked"}, "yes"]},
            "Both": {"Fn::And": [{"Condition": "IsProd"}, {"Condition": "IsAsked"}]},
            "Either": {"Fn::Or": [{"Condition": "IsDev"}, {"Condition": "IsAsked"}]},
            "Neither": {"Fn::Or": [{"Condition": "IsProd"}, {"Condition": "IsAsked"}]},
            "Circle": {"Fn::Not": [{"Condition": "Circle"}]},
            "Odd": {"Fn::Odd": []},
        },
        "Resources": {
            "Queue": QUEUE,
            **{
                f"Queue{name}": {**QUEUE, "Condition": name}
                for name in ("IsDev", "Both", "Either", "Neither", "Circle")
            },
        },
    },
)
DATA = Stack(
    name="dev-Data",
    environment="aws://111111111111/eu-west-1",
    template={
        "Resources": {"Table": {"Type": "AWS::DynamoDB::Table"}},
        "Outputs": {
            "Name": {"Export": {"Name": {"Fn::Sub": "${AWS::StackName}:name"}}, "Value": {"Ref": "Table"}},
            "Circle": {"Export": {"Name": "circle"}, "Value": {"Fn::ImportValue": "circle"}},
        },
    },
)
TWIN = Stack(name="dev-Data", environment="aws://111111111111/us-east-1", template=DATA.template)
ASSEMBLY = Assembly(stacks=(SHOP, TWIN, DATA))


def of(value: object) -> Any:
    return Values(ASSEMBLY).of(value, stack=SHOP)


QUEUE_REFERENCE = Reference(resource=SHOP.resources["Queue"])
TABLE_REFERENCE = Reference(resource=DATA.resources["Table"])


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"Ref": "Most"}, 7),
        ({"Ref": "Zones"}, ["a", "b"]),
        ({"Ref": "AWS::StackName"}, "dev-Shop"),
        ({"Ref": "AWS::Region"}, "eu-west-1"),
        ({"Ref": "AWS::AccountId"}, "111111111111"),
        ({"Ref": "AWS::NoValue"}, None),
        ({"a": {"Ref": "AWS::NoValue"}, "b": [{"Ref": "AWS::NoValue"}, 1]}, {"b": [1]}),
        ({"Ref": "Queue"}, QUEUE_REFERENCE),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, Reference(resource=SHOP.resources["Queue"], attribute="Arn")),
        ({"Fn::GetAtt": "Queue.Arn"}, Reference(resource=SHOP.resources["Queue"], attribute="Arn")),
        ({"Fn::ImportValue": "dev-Data:name"}, TABLE_REFERENCE),
        ({"Fn::ImportValue": {"Fn::Sub": "${Stage}-Data:name"}}, TABLE_REFERENCE),
        ({"Fn::Join": ["/", [{"Ref": "AWS::StackName"}, "Orders", {"Ref": "Most"}]]}, "dev-Shop/Orders/7"),
        ({"Fn::Join": ["-", {"Ref": "Zones"}]}, "a-b"),
        ({"Fn::Join": ["", ["a", {"Ref": "Queue"}, "b", True]]}, Text(("a", QUEUE_REFERENCE, "btrue"))),
        ({"Fn::Sub": "${Stage}/${Queue}"}, Text(("dev/", QUEUE_REFERENCE))),
        ({"Fn::Sub": ["${Name}-${!Literal}", {"Name": {"Ref": "Stage"}}]}, "dev-${Literal}"),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "Stage"}, "Most"]}, 2),
        ({"Fn::FindInMap": ["Sizes", "prod", "Most", {"DefaultValue": 9}]}, 9),
        ({"Fn::If": ["IsDev", 1, 2]}, 1),
        ({"Fn::If": ["IsProd", 1, {"Ref": "Most"}]}, 7),
        ({"Fn::If": ["Either", 1, 2]}, 1),
        ({"Fn::If": ["Both", 1, 2]}, 2),
        ({"Fn::Select": ["1", {"Fn::Split": ["/", "a/b/c"]}]}, "b"),
        ({"Fn::Select": [0, {"Ref": "Zones"}]}, "a"),
        ({"Ref": "Most", "Other": 1}, {"Ref": "Most", "Other": 1}),
    ],
)
def test_what_is_known_is_evaluated(value: object, found: object) -> None:
    assert of(value) == found


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"Ref": "Asked"}, "the parameter Asked has no Default"),
        ({"Ref": "Secret"}, "the parameter Secret has no Default"),
        ({"Ref": "Nothing"}, "the template defines no Nothing"),
        ({"Ref": "AWS::Partition"}, "AWS::Partition differs from place to place"),
        ({"Ref": []}, "it is made by Ref"),
        ({"Fn::GetAtt": ["Nothing", "Arn"]}, "the template has no Nothing"),
        ({"Fn::ImportValue": "elsewhere"}, "elsewhere is imported from a stack that is not there; give the whole"),
        ({"Fn::ImportValue": "circle"}, "circle is imported"),
        ({"Fn::FindInMap": ["Sizes", "prod", "Most"]}, "the mapping Sizes has nothing for prod and Most"),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "Asked"}, "Most"]}, "the parameter Asked has no Default"),
        ({"Fn::If": ["IsAsked", 1, 2]}, "the parameter Asked has no Default"),
        ({"Fn::If": ["Neither", 1, 2]}, "the parameter Asked has no Default"),
        ({"Fn::If": ["Nothing", 1, 2]}, "the template does not define the condition Nothing"),
        ({"Fn::If": ["Odd", 1, 2]}, "its condition is none that CloudFormation knows"),
        ({"Fn::If": [1]}, "it is made by Fn::If"),
        ({"Fn::Cidr": ["10.0.0.0/16", 2]}, "it is made by Fn::Cidr, which is evaluated only when deployed"),
        ({"Fn::Select": [3, ["a"]]}, "it is made by Fn::Select"),
        ({"Fn::Join": ["", [{"Fn::GetAZs": ""}, {"a": 1}]]}, "it joins what is no text"),
    ],
)
def test_what_only_a_deployment_knows_is_said_with_the_reason(value: object, why: str) -> None:
    found = of(value)
    assert isinstance(found, Unknown)
    assert found.why.startswith(why)


def test_the_resources_that_go_into_something_unknown_are_known_all_the_same() -> None:
    values = [
        {"Fn::Select": [5, {"Fn::Split": [":", {"Fn::GetAtt": ["Queue", "Arn"]}]}]},
        {"Fn::If": ["IsAsked", {"Ref": "Queue"}, ""]},
        {"Fn::Base64": {"Fn::Sub": "${Queue.Arn}"}},
    ]
    for value in values:
        assert list(resources_in(of(value))) == [SHOP.resources["Queue"]]


def test_a_text_with_something_unknown_reads_the_same_each_time() -> None:
    name = {"Fn::Join": ["/", [{"Ref": "AWS::StackName"}, {"Ref": "Queue"}, {"Ref": "Asked"}]]}
    assert str(of(name)) == str(of(name)) == "dev-Shop/{Queue}/{the parameter Asked has no Default}"


@pytest.mark.parametrize(
    ("name", "exists"),
    [("Queue", True), ("QueueIsDev", True), ("QueueBoth", False), ("QueueEither", True), ("QueueNeither", None)],
)
def test_a_resource_exists_by_its_condition(name: str, exists: bool | None) -> None:
    found = Values(ASSEMBLY).exists(SHOP.resources[name])
    assert isinstance(found, Unknown) if exists is None else found is exists


def test_a_circle_of_conditions_ends() -> None:
    assert isinstance(Values(ASSEMBLY).exists(SHOP.resources["QueueCircle"]), Unknown)


def test_a_stack_imports_from_its_own_region() -> None:
    found = of({"Fn::ImportValue": "dev-Data:name"})
    resource: Resource = found.resource
    assert resource.home is DATA
