"""The parts of MiniStack this launcher builds on. They are internals: hence one pinned version, checked at start."""

from importlib import import_module, metadata
from typing import Any

from fargate_workers_toolkit.errors import LocalError

VERSION = "1.5.33"

SYMBOLS = {
    "app": ("app", "SERVICE_HANDLERS"),
    "core.responses": ("request_scope", "get_account_id", "get_region", "json_response", "error_response_json"),
    "core.concurrency": ("resource_lock", "spawn_background"),
    "core.router": ("SERVICE_PATTERNS",),
    "services.cloudformation": ("_stacks",),
    "services.cloudformation.stacks": ("_runs_on_worker_thread",),
    "services.cloudformation.provisioners": (
        "_RESOURCE_HANDLERS",
        "_ec_rg_id",
        "_normalize_container_defs",
        "_pascal_to_camel",
        "_physical_name",
    ),
    "services.cloudwatch": (
        "_alarms",
        "_calc_stats",
        "_cbor_metric_data_result",
        "_cbor_ok",
        "_composite_alarms",
        "_dims_key",
        "_dispatch_alarm_actions",
        "_evaluate_alarm",
        "_evaluate_parent_alarms",
        "_evict_old_metrics",
        "_get_metric_data",
        "_json_ok",
        "_metric_bucket",
        "_metrics",
        "_parse_ts",
        "_put_composite_alarm",
        "_put_metric_data",
        "_record_history",
        "_resource_tags",
        "_stat_value",
        "_ts_iso",
        "cloudformation_delete_metric_alarm",
        "cloudformation_put_metric_alarm",
    ),
    "services.cloudwatch_logs": ("_append_log_events",),
    "services.ec2": ("_addresses", "_allocate_address", "_create_nat_gateway", "_nat_gateways"),
    "services.ecs": (
        "_ACTION_MAP",
        "_attach_started_container",
        "_bump_task_version",
        "_cleanup_task_resources",
        "_cluster_name_from_arn",
        "_complete_service_deployment",
        "_deployment_for_task",
        "_emit_awslogs_event",
        "_iso",
        "_mark_task_pending",
        "_mark_task_running",
        "_mark_task_stopped",
        "_primary_deployment",
        "_put_cluster_capacity_providers",
        "_reconcile_service_tasks",
        "_record_service_task_failure",
        "_recount_cluster",
        "_refresh_service_state",
        "_resolve_cluster_name",
        "_resolve_task",
        "_run_task",
        "_sanitize",
        "_services",
        "_stop_task",
        "_task_defs",
        "_task_is_active",
        "_tasks",
        "_ts_to_epoch",
        "_update_service",
    ),
    "services.elasticache": ("_ensure_live_containers", "_spawn_redis_container", "_user_groups", "_users"),
    "services.eventbridge": (
        "_apply_input_transformer",
        "_cron_next_fire",
        "_dispatch_to_lambda",
        "_invoke_target",
        "_parse_cron_fields",
        "_parse_rate_seconds",
        "_pattern_event_view",
        "_put_events",
        "_rules",
        "_targets",
        "_tick_scheduled_rules",
    ),
    "services.lambda_svc": (
        "_emit_lambda_metrics",
        "_execute_function_docker",
        "_execute_function_with_config_scope",
        "_execution_record_for_config",
        "_get_func_record_for_ref",
        "_route_async_failure",
        "_run_sqs_batch",
    ),
    "services.msk": ("_bootstrap_strings", "_clusters", "_create_cluster"),
    "services.rds": ("_clusters", "_instances"),
    "services.scheduler": ("_SCHEDULE_TICK_INTERVAL", "_schedules", "_tick_schedules"),
    "services.secretsmanager": ("_create_secret", "_secrets"),
    "services.sns": ("_topic_by_arn_any_scope",),
    "services.sqs": (
        "_Err",
        "_HANDLERS",
        "_act_send_message",
        "_delete_messages_for_esm",
        "_dlq_sweep",
        "_expire_retained",
        "_get_q",
        "_queue_by_arn",
        "_queues",
        "_receive_messages_for_esm",
        "_refresh_counts",
        "_validate_batch_entries",
    ),
    "services.tagging": ("_COLLECTORS",),
}


class MissingPartError(LocalError):
    """This MiniStack is not the one the launcher was written for."""


def check() -> None:
    """A check that MiniStack has every part, before anything is patched.

    Raises:
        MissingPartError: Parts are missing, or another version is installed; the text names them.
    """
    installed = metadata.version("ministack")
    missing = [f"{name}.{symbol}" for name, symbols in SYMBOLS.items() for symbol in _missing(name, symbols)]
    if missing or installed != VERSION:
        what = f" ({', '.join(missing)} missing)" if missing else ""
        raise MissingPartError(
            f"MiniStack {installed} is installed{what}, the launcher needs {VERSION}; delete .local/venv and run again."
        )


def _missing(name: str, symbols: tuple[str, ...]) -> list[str]:
    module = _part(name)
    return [symbol for symbol in symbols if not hasattr(module, symbol)]


def _part(name: str) -> Any:
    return import_module(f"ministack.{name}")


app = _part("app")
router = _part("core.router")
responses = _part("core.responses")
concurrency = _part("core.concurrency")
cloudformation = _part("services.cloudformation")
stacks = _part("services.cloudformation.stacks")
provisioners = _part("services.cloudformation.provisioners")
cloudwatch = _part("services.cloudwatch")
logs = _part("services.cloudwatch_logs")
ec2 = _part("services.ec2")
ecs = _part("services.ecs")
elasticache = _part("services.elasticache")
eventbridge = _part("services.eventbridge")
lambda_service = _part("services.lambda_svc")
msk = _part("services.msk")
rds = _part("services.rds")
scheduler = _part("services.scheduler")
secretsmanager = _part("services.secretsmanager")
sns = _part("services.sns")
sqs = _part("services.sqs")
tagging = _part("services.tagging")

# The web server MiniStack brings along.
server: Any = import_module("hypercorn.asyncio")
server_config: Any = import_module("hypercorn.config")
