"""What an assembly expects of a bootstrapped account."""

from pathlib import Path

import pytest
from aws_cdk import (
    App,
    DefaultStackSynthesizer,
    LegacyStackSynthesizer,
    Stack,
    StackSynthesizer,
    aws_s3_assets,
    aws_sqs,
)
from aws_cdk import aws_ecr_assets as images

from fargate_workers_toolkit.local.bootstrap import bootstrap, read
from fargate_workers_toolkit.local.embedded_aws import EmbeddedAws
from fargate_workers_toolkit.local.workspace import Workspace


def synthesized(folder: Path, synthesizer: StackSynthesizer) -> Path:
    (folder / "image").mkdir()
    (folder / "image" / "Dockerfile").write_text("FROM scratch")
    app = App(outdir=str(folder / "cdk.out"))
    stack = Stack(app, "Shop", synthesizer=synthesizer)
    aws_sqs.Queue(stack, "Queue")
    if not isinstance(synthesizer, LegacyStackSynthesizer):
        aws_s3_assets.Asset(stack, "File", path=str(folder / "image" / "Dockerfile"))
        images.DockerImageAsset(stack, "Image", directory=str(folder / "image"))
    app.synth()
    return folder / "cdk.out"


@pytest.mark.parametrize(("given", "qualifier"), [(None, "hnb659fds"), ("shop", "shop")])
def test_places_and_version_have_the_names_of_the_app(given: str | None, qualifier: str, tmp_path: Path) -> None:
    assembly = synthesized(tmp_path, DefaultStackSynthesizer(qualifier=given))

    expected = read(assembly, account="123456789012", region="eu-west-1")

    assert expected.buckets == {f"cdk-{qualifier}-assets-123456789012-eu-west-1"}
    assert expected.repositories == {f"cdk-{qualifier}-container-assets-123456789012-eu-west-1"}
    assert expected.versions.keys() == {f"/cdk-bootstrap/{qualifier}/version"}
    assert min(expected.versions.values()) >= 6


def test_an_app_that_names_no_version_is_left_to_the_cli(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.local.mkdir()
    synthesized(tmp_path, LegacyStackSynthesizer()).rename(workspace.assembly)
    cdk = tmp_path / "cdk"
    cdk.write_text(f'#!/bin/sh\necho "$@" > "{tmp_path}/arguments"\n')
    cdk.chmod(0o755)
    aws = EmbeddedAws(pid=1, port=1, region="eu-central-1", account="123456789012", seconds_per_minute=2)

    bootstrap(workspace, aws, cdk=cdk)

    assert (tmp_path / "arguments").read_text().split()[:2] == ["bootstrap", "aws://123456789012/eu-central-1"]
