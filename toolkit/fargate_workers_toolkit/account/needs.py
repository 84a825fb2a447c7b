"""What an environment's file asks of its account: where it is, and how much will run there."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from fargate_workers_toolkit.account.errors import AccountError

# The pipeline's two queue workers have tasks of a quarter of a vCPU, and a deployment runs old and new ones together.
_WORKERS, _VCPUS_OF_A_TASK, _AT_ONCE = 2, 0.25, 2
# Lambda keeps 100 executions for functions that reserve none.
_UNRESERVED = 100
_FUNCTIONS = 2


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What an account must allow.

    Args:
        file: The environment's file, for messages.
        account: The account's number.
        region: Its region.
        vcpus: The most vCPUs on demand, old and new tasks of a deployment together.
        spot_vcpus: The same on Spot.
        addresses: How many elastic addresses the network takes.
        executions: How many Lambda executions must be unreserved.
    """

    file: str
    account: str
    region: str
    vcpus: float
    spot_vcpus: float
    addresses: int
    executions: int


def read(path: Path) -> Needs:
    """Read the needs of an environment.

    Args:
        path: The environment's file.

    Raises:
        AccountError: The file is missing, is not TOML, or names no account and region.
    """
    where = f"{path.parent.name}/{path.name}"
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(sorted(other.stem for other in path.parent.glob("*.toml"))) or "none"
        raise AccountError(f"{where} does not exist; known environments: {known}.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise AccountError(f"{where} cannot be read: {error}.") from error
    account, region = values.get("account"), values.get("region")
    if not (isinstance(account, str) and re.fullmatch(r"\d{12}", account)):
        raise AccountError(f"{where}: account: must be a 12-digit string in quotes.")
    if not (isinstance(region, str) and region):
        raise AccountError(f'{where}: region: is missing; write, for example, region = "eu-west-1".')
    network = _section(values, "network")
    tasks = int(values.get("max_tasks", 10))
    on_spot = tasks - min(int(values["spot_from"]), tasks) if "spot_from" in values else 0
    return Needs(
        file=where,
        account=account,
        region=region,
        vcpus=(tasks - on_spot) * _WORKERS * _VCPUS_OF_A_TASK * _AT_ONCE,
        spot_vcpus=on_spot * _WORKERS * _VCPUS_OF_A_TASK * _AT_ONCE,
        addresses=int(network.get("nat_gateways", 1)) if network.get("mode") == "nat" else 0,
        executions=_UNRESERVED + _FUNCTIONS if values.get("reserve_concurrency") else _FUNCTIONS,
    )


def _section(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = values.get(name)
    return cast("Mapping[str, Any]", section) if isinstance(section, dict) else {}
