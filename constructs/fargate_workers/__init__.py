"""Queue workers, scheduled tasks and event-driven tasks on AWS Fargate, as AWS CDK constructs."""
