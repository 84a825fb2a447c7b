"""What was synthesized: the stacks that run, and the account and region that they name."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fargate_workers_toolkit.errors import LocalError
from fargate_workers_toolkit.local.account import DEFAULT_ACCOUNT
from fargate_workers_toolkit.local.workspace import Workspace
from fargate_workers_toolkit.templates import Assembly

# What the CDK writes for a stack that names neither.
_UNKNOWN_ACCOUNT, _UNKNOWN_REGION = "unknown-account", "unknown-region"


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which part of an app runs: what cdk.json leaves open.

    Args:
        stacks: Patterns of construct paths, as `cdk deploy` takes them. Defaults to every stack.
        context: Context values for the app, each as `KEY=VALUE`. Defaults to none.
    """

    stacks: tuple[str, ...] = ("**",)
    context: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Synthesis:
    """A cloud assembly in the workspace.

    Args:
        digest: The hash of what it was synthesized from.
        stacks: The names of the stacks that run.
        account: Their account.
        region: Their region.
    """

    digest: str
    stacks: tuple[str, ...]
    account: str
    region: str

    @classmethod
    def of(cls, listed: Iterable[Mapping[str, Any]], *, digest: str, region: str) -> "Synthesis":
        """Read what `cdk list --long --json` prints.

        Args:
            listed: The stacks, each with its name and environment.
            digest: The hash of what they were synthesized from.
            region: The region of stacks that name none.

        Raises:
            LocalError: There is no stack, or they are of several accounts or regions.
        """
        stacks = list(listed)
        places = {_place(stack["environment"], region) for stack in stacks}
        if not places:
            raise LocalError("The app has no stack; add one, or correct the stacks that the command names.")
        if len(places) > 1:
            where = ", ".join(sorted(f"aws://{account}/{region}" for account, region in places))
            raise LocalError(
                f"The stacks are of several environments ({where}), and one runs at a time; name the stacks of one, "
                "for example: fargate-workers local run 'dev/**'."
            )
        account, region = places.pop()
        return cls(digest=digest, stacks=tuple(stack["name"] for stack in stacks), account=account, region=region)

    @classmethod
    def load(cls, workspace: Workspace) -> "Synthesis | None":
        """Return the synthesis of a workspace; None where nothing was synthesized to the end.

        Args:
            workspace: The folder of the local run.
        """
        try:
            found: dict[str, Any] = json.loads(workspace.synthesis.read_text())
            return cls(stacks=tuple(found.pop("stacks")), **found)
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def save(self, workspace: Workspace) -> None:
        """Write it into the workspace's assembly.

        Args:
            workspace: The folder of the local run.
        """
        workspace.assembly.mkdir(parents=True, exist_ok=True)
        workspace.synthesis.write_text(json.dumps(asdict(self), indent=2))

    def assembly(self, workspace: Workspace) -> Assembly:
        """Return the stacks that run, as they were synthesized.

        Args:
            workspace: The folder that they were synthesized into.
        """
        return Assembly.load(workspace.assembly).only(self.stacks)


def _place(environment: Mapping[str, str], region: str) -> tuple[str, str]:
    account, named = environment["account"], environment["region"]
    return (
        DEFAULT_ACCOUNT if account == _UNKNOWN_ACCOUNT else account,
        region if named == _UNKNOWN_REGION else named,
    )
