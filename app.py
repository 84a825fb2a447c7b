"""Environments -> one stage each -> stacks, checked against five rule packs at every synth."""

import re
import sys
from pathlib import Path

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks, HIPAASecurityChecks, NIST80053R5Checks, PCIDSS321Checks, ServerlessChecks

from environments.environment import EnvironmentFileError, load_environments
from fargate_workers import ConfigurationError
from stacks.order_pipeline import OrderPipeline

RULE_PACKS = (AwsSolutionsChecks, HIPAASecurityChecks, NIST80053R5Checks, PCIDSS321Checks, ServerlessChecks)

TOO_MANY_RESOURCES = re.compile(r"TooManyResourcesInStack: .* stack '([^']+)': (\d+) is greater .* of (\d+):")


def main() -> None:
    app = App()
    # `cdk deploy -c environment=prod 'prod/**'` builds that environment alone: quicker, same result.
    for environment in load_environments(
        Path(__file__).parent / "environments", app.node.try_get_context("environment")
    ):
        OrderPipeline(app, environment=environment)
    Validations.of(app).add_plugins(*(pack(app) for pack in RULE_PACKS))
    app.synth()


if __name__ == "__main__":
    try:
        main()
    except (EnvironmentFileError, ConfigurationError) as error:
        # A mistake in the configuration is one sentence; anything else is a bug and keeps its traceback.
        print(error, file=sys.stderr)  # noqa: T201
        sys.exit(2)
    except RuntimeError as error:
        if (outgrown := TOO_MANY_RESOURCES.match(str(error))) is None:
            raise
        print(  # noqa: T201
            f"The stack {outgrown[1]} has {outgrown[2]} resources, and CloudFormation takes {outgrown[3]}; "
            "move some of its workers into another stack on the same cluster (docs/environments.md).",
            file=sys.stderr,
        )
        sys.exit(2)
