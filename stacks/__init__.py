"""The order pipeline's stacks: what `cdk deploy` deploys, one set per environment."""
