"""The JSON schema of environment files, for editors: `python -m environments.schema` writes it anew."""

import json
from pathlib import Path

from environments.environment import Environment

SCHEMA = Path(__file__).parents[1] / "environments" / "schema.json"


def schema() -> str:
    """The schema as text. An environment is called like its file, so `name` is not in it."""
    written = Environment.model_json_schema()
    del written["properties"]["name"]
    written["required"].remove("name")
    return json.dumps(written, indent=2) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(schema(), encoding="utf-8")
