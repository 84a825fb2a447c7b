"""The launcher: puts the pieces together around MiniStack, and serves until it is stopped."""

import asyncio
import logging
import os
import signal
import sys
import threading
import time

from fargate_workers_toolkit.local.emulator import cloudformation, deployments, ministack_parts
from fargate_workers_toolkit.local.emulator.autoscaling.acting import AutoScaling
from fargate_workers_toolkit.local.emulator.autoscaling.api import ScalingRegistry
from fargate_workers_toolkit.local.emulator.autoscaling.scheduled_actions import ScheduledActions
from fargate_workers_toolkit.local.emulator.clock import Clock
from fargate_workers_toolkit.local.emulator.cloudwatch.alarms import Alarms
from fargate_workers_toolkit.local.emulator.cloudwatch.metric_data import MetricData
from fargate_workers_toolkit.local.emulator.cloudwatch.mute_rules import MuteRules
from fargate_workers_toolkit.local.emulator.cloudwatch.published import Metrics
from fargate_workers_toolkit.local.emulator.control import Control
from fargate_workers_toolkit.local.emulator.ecs.services import Services
from fargate_workers_toolkit.local.emulator.ecs.task_lifecycle import TaskLifecycle
from fargate_workers_toolkit.local.emulator.ecs.task_protection import TaskProtection
from fargate_workers_toolkit.local.emulator.elasticache import Caches
from fargate_workers_toolkit.local.emulator.events.rules import Rules
from fargate_workers_toolkit.local.emulator.events.schedules import Schedules
from fargate_workers_toolkit.local.emulator.events.targets import Targets
from fargate_workers_toolkit.local.emulator.functions import function_logs
from fargate_workers_toolkit.local.emulator.functions.image_functions import ImageFunctions
from fargate_workers_toolkit.local.emulator.functions.lambda_functions import Functions
from fargate_workers_toolkit.local.emulator.kafka_clusters import KafkaClusters
from fargate_workers_toolkit.local.emulator.minutes import Minutes
from fargate_workers_toolkit.local.emulator.processes import containers as container_client
from fargate_workers_toolkit.local.emulator.processes.certificates import create_certificates
from fargate_workers_toolkit.local.emulator.processes.health_checks import HealthChecks
from fargate_workers_toolkit.local.emulator.processes.reaper import Reaper
from fargate_workers_toolkit.local.emulator.rds import Databases
from fargate_workers_toolkit.local.emulator.settings import Settings
from fargate_workers_toolkit.local.emulator.sqs import Queues

logger = logging.getLogger("local.launcher")


def launch(settings: Settings) -> None:
    """Serve the embedded AWS.

    Args:
        settings: Where to listen, and what to run.

    Raises:
        MissingPartError: MiniStack is not the version this was written for.
    """
    ministack_parts.check()
    authority = create_certificates(settings.directory / "certificates")
    # Functions inherit it: that of an observer talks to a cache.
    os.environ["SSL_CERT_FILE"] = str(authority)
    clock = Clock(started=time.time(), seconds_per_minute=settings.seconds_per_minute)
    containers = container_client.install(settings, reaper=Reaper())
    queues, targets, registry = Queues(), Targets(clock), ScalingRegistry()
    protection, schedules = TaskProtection(), Schedules(clock, targets)
    metrics = Metrics(clock, containers=containers, queues=queues, targets=targets)
    functions = Functions(clock)
    scaling = AutoScaling(clock, registry)
    alarms, rules = Alarms(clock, scaling), Rules(clock, targets=targets, functions=functions)
    actions = ScheduledActions(clock, registry, scaling)
    cloudformation.install()
    deployments.install()
    Caches(settings, containers).install()
    KafkaClusters(containers).install()
    databases = Databases(settings, containers)
    databases.install()
    HealthChecks(containers).install()
    tasks = TaskLifecycle(containers, protection)
    for part in (queues, functions, targets, registry, protection, tasks, schedules, metrics, alarms, rules):
        part.install()
    MetricData(clock).install()
    MuteRules(clock).install()
    function_logs.install(publish=metrics.publish_embedded)
    ImageFunctions(containers).install()
    minutes = Minutes(
        clock, at_end=(metrics.publish, alarms.evaluate_all, Services().tick), at_begin=(rules.fire, actions.apply)
    )
    threading.Thread(target=minutes.flow, daemon=True, name="minutes").start()
    control = Control(
        ministack_parts.app.app,
        containers=containers,
        protection=protection,
        schedules=schedules,
        minutes=minutes,
        databases=databases,
    )
    code = 1
    try:
        asyncio.new_event_loop().run_until_complete(_serve(control, settings))
        code = 0
    except Exception:
        logger.exception("The server failed")
    finally:
        containers.kill_all()
        # At once: open long polls and daemon threads wait for nothing, and the reaper ends what they just started.
        os._exit(code)


async def _serve(application: Control, settings: Settings) -> None:
    """Serve until a signal comes, or until standard input closes where the launcher is owned."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    if settings.owned:
        threading.Thread(target=_wait_for_owner, args=(loop, stop), daemon=True, name="owner").start()
    config = ministack_parts.server_config.Config()
    config.bind = [f"127.0.0.1:{settings.port}"]
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    # Hypercorn would take over the signals without a trigger of its own, and wait for every long poll with this one.
    server = asyncio.create_task(
        ministack_parts.server.serve(application, config, shutdown_trigger=asyncio.Event().wait)
    )
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({server, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if server.done():
        server.result()


def _wait_for_owner(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    sys.stdin.read()
    loop.call_soon_threadsafe(stop.set)
