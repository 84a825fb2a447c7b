"""Two videos are uploaded and the night comes early: `fargate-workers local run --scenario scenario:play`."""

import json
from collections.abc import Iterator

from fargate_workers_toolkit.local import Check, RunningSystem, check, check_same

VIDEOS = ["holiday.mp4", "ångström and more.mp4"]
PICTURES = [name.replace(".mp4", ".png") for name in VIDEOS]


def play(system: RunningSystem) -> Iterator[Check]:
    """Upload the videos, wait for the partner, run the report, and check what each bucket holds.

    Args:
        system: The deployed app.
    """
    s3 = system.client("s3")
    videos, thumbnails, partner = (
        system.physical_id(f"VideoThumbnails/{name}", type="AWS::S3::Bucket")
        for name in ("Videos", "Thumbnails", "Partner")
    )

    def keys(bucket: str) -> list[str]:
        return [item["Key"] for item in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]

    with system.step("Upload videos"):
        for name in VIDEOS:
            s3.put_object(Bucket=videos, Key=name, Body=name.encode() * 1000)
        s3.put_object(Bucket=videos, Key="readme.txt", Body=b"no video")
    with system.step("Wait until the partner has their thumbnails"):
        system.wait_for(lambda: len(keys(partner)) == len(VIDEOS))
    with system.step("Run the nightly report now"):
        (task,) = system.invoke("VideoThumbnails/Report")
        system.wait_for(lambda: system.exit_code(task) is not None)
    yield check_same("The partner has every thumbnail", expected=PICTURES, seen=keys(partner), what="pictures")
    yield check("The report ended well", expected=0, seen=system.exit_code(task))
    reports = [json.loads(s3.get_object(Bucket=thumbnails, Key="report.json")["Body"].read())]
    yield check("The report counts both", expected=[{"videos": 2, "thumbnails": 2}], seen=reports)
