"""A handler as a Lambda function on the same queue: the worker, fed with the events of invocations."""

from fargate_workers_runtime.function.handler import Answer, Function, lambda_handler

__all__ = ["Answer", "Function", "lambda_handler"]
