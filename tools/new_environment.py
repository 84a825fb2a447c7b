"""Adds an environment like another one: `make environment NAME=perf LIKE=staging`."""

import argparse
import re
from pathlib import Path

from tools.errors import MistakeError

ROOT = Path(__file__).parents[1]

LEFT_TO_DO = """\
environments/{name}.toml is a copy of {like}.toml. What is left to do by hand:
  1. Edit it: account, region, zones, who hears alerts, buckets; with the network it is final at the first deployment.
  2. Prepare the account, once for each account and region: docs/environments.md, "Before the first deployment".
  3. Deploy it: npx cdk diff '{name}/**', then npx cdk deploy '{name}/**'.
  4. If the pipeline is to deploy it: add it to both lists `environment:` of .github/workflows/pipeline.yml, and make
     the GitHub environments {name} and {name}-diff, as the first lines of that file say."""


def add_environment(name: str, like: str, root: Path = ROOT) -> Path:
    """Write the new file, which has its own name wherever the other has its own.

    Args:
        name: Lower case, like perf.
        like: The environment to copy.
        root: The repository.

    Raises:
        MistakeError: The name is not of that form or taken, or there is nothing to copy.
    """
    folder = root / "environments"
    if not re.fullmatch(r"[a-z][a-z0-9-]{1,19}", name):
        raise MistakeError(
            f"The name {name!r} is not of the form perf: 2 to 20 lower-case letters, digits and hyphens."
        )
    known = sorted(file.stem for file in folder.glob("*.toml"))
    if like not in known:
        raise MistakeError(f"There is no environment {like!r} to copy; known are {', '.join(known)}.")
    if name in known:
        raise MistakeError(f"environments/{name}.toml exists already; choose another name.")
    text = (folder / f"{like}.toml").read_text(encoding="utf-8")
    file = folder / f"{name}.toml"
    file.write_text(re.sub(rf'"{re.escape(like)}"', f'"{name}"', text), encoding="utf-8")
    return file


def main() -> None:
    """Write the file and print what is left to do; `make environment` goes on with the snapshots."""
    parser = argparse.ArgumentParser(description="Add an environment like another one.")
    parser.add_argument("name", help="of the new environment, like perf")
    parser.add_argument("like", help="the environment to copy")
    arguments = parser.parse_args()
    try:
        add_environment(arguments.name, arguments.like)
    except MistakeError as mistake:
        parser.exit(2, f"{mistake}\n")
    print(LEFT_TO_DO.format(name=arguments.name, like=arguments.like))


if __name__ == "__main__":
    main()
