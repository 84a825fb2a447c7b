"""What `local up` lists: every resource that people send to, look into or call, with its whole name."""

from io import StringIO

from rich.console import Console

from fargate_workers_toolkit.local.app.inventory import Item, items_of, show
from fargate_workers_toolkit.templates.assembly import Assembly, Stack

QUEUE = "http://127.0.0.1:40000/000000000000/local-Data-OrdersQueueDeadLetterQueue8A62893B-D3C2ADA11A783"


class Names:
    """CloudFormation's answers."""

    def physical_id(self, path: str, *, type: str) -> str:
        return f"{path}-{type.rpartition(':')[2]}"


def template(*resources: tuple[str, str]) -> dict[str, object]:
    return {
        "Resources": {
            f"R{number}": {"Type": kind, "Metadata": {"aws:cdk:path": path}}
            for number, (path, kind) in enumerate(resources)
        }
    }


def test_resources_are_listed_by_kind_and_path_others_left_out() -> None:
    stack = Stack(
        name="local-Data",
        environment="",
        template=template(
            ("local/Data/Z/Resource", "AWS::SQS::Queue"),
            ("local/Data/A/Resource", "AWS::SQS::Queue"),
            ("local/Data/Policy", "AWS::SQS::QueuePolicy"),
            ("local/Data/Files/Resource", "AWS::S3::Bucket"),
        ),
    )

    items = items_of(Assembly(stacks=(stack,)), Names())

    assert items == [
        Item(kind="bucket", path="local/Data/Files", name="local/Data/Files-Bucket"),
        Item(kind="queue", path="local/Data/A", name="local/Data/A-Queue"),
        Item(kind="queue", path="local/Data/Z", name="local/Data/Z-Queue"),
    ]


def test_a_name_is_never_folded() -> None:
    output = StringIO()

    show([Item(kind="queue", path="Data/Orders", name=QUEUE)], Console(file=output, width=40))

    assert output.getvalue() == f"queue  Data/Orders\n       {QUEUE}\n"
