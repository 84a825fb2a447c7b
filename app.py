"""Environments -> one stage each -> stacks, checked against five rule packs at every synth."""

import sys
from pathlib import Path

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks, HIPAASecurityChecks, NIST80053R5Checks, PCIDSS321Checks, ServerlessChecks

from stacks.environment import EnvironmentFileError, load_environments
from stacks.order_pipeline import OrderPipeline

RULE_PACKS = (AwsSolutionsChecks, HIPAASecurityChecks, NIST80053R5Checks, PCIDSS321Checks, ServerlessChecks)


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
    except (EnvironmentFileError, ValueError) as error:
        # What a person can mend is one sentence; anything else keeps its traceback.
        print(error, file=sys.stderr)  # noqa: T201
        sys.exit(2)
