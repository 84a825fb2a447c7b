"""The limits of AWS that a growing template meets, each with the longest values CloudFormation can put in."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from fargate_workers.cloudformation.longest_text import LONGEST_ARN, LONGEST_NAME

Template = Mapping[str, Any]
Resources = Mapping[str, Mapping[str, Any]]

LONGEST_URL = f"https://sqs.ap-southeast-1.amazonaws.com/123456789012/{LONGEST_NAME}"


def broken(template: Template) -> list[str]:
    """Every limit that the template does not keep, with the resource that breaks it."""
    resources: Resources = template["Resources"]
    return [
        *_of_the_template(template),
        *_of_functions(resources),
        *_of_policies(resources),
        *_of_events(resources),
        *_of_the_dashboard(resources),
        *_of_alarms(resources),
        *_of_security_groups(resources),
    ]


def _of_the_template(template: Template) -> Iterator[str]:
    for what, most in (("Resources", 500), ("Outputs", 200), ("Parameters", 200), ("Mappings", 200)):
        if (count := len(template.get(what, {}))) > most:
            yield f"{count} {what}, {most} at most"
    if (size := len(json.dumps(template, indent=1).encode())) > 1_000_000:
        yield f"a template of {size} bytes, 1,000,000 at most"


def _of_functions(resources: Resources) -> Iterator[str]:
    for name, properties in _all(resources, "Lambda::Function"):
        variables = properties.get("Environment", {}).get("Variables", {})
        size = sum(len(key) + len(longest(value)) for key, value in variables.items())
        if size > 4_096:
            yield f"{name}: {size} bytes of variables, 4,096 at most"


def _of_policies(resources: Resources) -> Iterator[str]:
    for name, properties in _all(resources, "IAM::ManagedPolicy"):
        size = len(longest(properties["PolicyDocument"]).replace(" ", ""))
        if size > 6_144:
            yield f"{name}: {size} characters of a managed policy, 6,144 at most"
    for name, properties in _all(resources, "IAM::Role"):
        inline = sum(len(longest(each["PolicyDocument"]).replace(" ", "")) for each in properties.get("Policies", ()))
        if inline > 10_240:
            yield f"{name}: {inline} characters of inline policies, 10,240 at most"
    attached = Counter(
        role["Ref"]
        for _, properties in _all(resources, "IAM::ManagedPolicy")
        for role in properties.get("Roles", ())
        if "Ref" in role
    )
    for name, properties in _all(resources, "IAM::Role"):
        count = attached[name] + len(properties.get("ManagedPolicyArns", ()))
        if count > 10:  # what an account has before it asks for more
            yield f"{name}: {count} managed policies, 10 at most"


def _of_events(resources: Resources) -> Iterator[str]:
    for name, properties in _all(resources, "Events::Rule"):
        targets = properties.get("Targets", [])
        if len(targets) > 5:
            yield f"{name}: {len(targets)} targets, 5 at most"
        for target in targets:
            size = len(longest(target.get("Input", "")))
            if size > 8_192:
                yield f"{name}: an input of {size} characters, 8,192 at most"
        if (size := len(longest(properties.get("EventPattern", "")))) > 4_096:
            yield f"{name}: a pattern of {size} characters, 4,096 at most"


def _of_the_dashboard(resources: Resources) -> Iterator[str]:
    for name, properties in _all(resources, "CloudWatch::Dashboard"):
        widgets = json.loads(longest(properties["DashboardBody"]))["widgets"]
        if len(widgets) > 500:
            yield f"{name}: {len(widgets)} widgets, 500 at most"
        metrics = 0
        for widget in widgets:
            alarms = widget["properties"].get("alarms", [])
            if len(alarms) > 100 or (widget["type"] == "alarm" and not alarms):
                yield f"{name}: {len(alarms)} alarms in a widget, 1 to 100"
            metrics += len(widget["properties"].get("metrics", []))
        if metrics > 2_500:
            yield f"{name}: {metrics} metrics, 2,500 at most"


def _of_alarms(resources: Resources) -> Iterator[str]:
    for name, properties in _all(resources, "CloudWatch::Alarm"):
        metrics = properties.get("Metrics", [])
        if sum("MetricStat" in each for each in metrics) > 10 or sum("Expression" in each for each in metrics) > 10:
            yield f"{name}: {len(metrics)} metrics and expressions, 10 of each at most"
        if (size := len(longest(properties.get("AlarmDescription", "")))) > 1_024:
            yield f"{name}: a description of {size} characters, 1,024 at most"


def _of_security_groups(resources: Resources) -> Iterator[str]:
    opened = Counter(
        json.dumps(properties["GroupId"], sort_keys=True)
        for _, properties in _all(resources, "EC2::SecurityGroupIngress")
    )
    for group, rules in opened.items():
        if rules > 60:
            yield f"{group}: {rules} rules, 60 at most"


def _all(resources: Resources, kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, resource in resources.items():
        if resource["Type"] == f"AWS::{kind}":
            yield name, resource.get("Properties", {})


def longest(value: Any) -> str:
    """`value` as AWS gets it, with the longest names in the places of those not known yet."""
    if isinstance(value, str):
        return value
    rendered = _rendered(value)
    return rendered if isinstance(rendered, str) else json.dumps(rendered, separators=(",", ":"))


def _rendered(value: Any) -> Any:
    if isinstance(value, list):
        return [_rendered(each) for each in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, inner),) = value.items()
        if key == "Ref":
            return "ap-southeast-1" if inner.startswith("AWS::") else LONGEST_URL if "Queue" in inner else LONGEST_NAME
        if key in ("Fn::GetAtt", "Fn::ImportValue", "Fn::GetStackOutput"):
            said = json.dumps(inner)
            return LONGEST_ARN if "Arn" in said else LONGEST_URL if "Ref" in said and "Queue" in said else LONGEST_NAME
        if key == "Fn::Join":
            return inner[0].join(longest(each) for each in inner[1])
        if key.startswith("Fn::"):
            return LONGEST_NAME
    return {key: _rendered(inner) for key, inner in value.items()}
