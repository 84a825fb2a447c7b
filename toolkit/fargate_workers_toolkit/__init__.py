"""The `fargate-workers` command: runs a synthesized system locally, operates a deployed one."""
