"""The SQL of the tables of claims and outbox, and of the role that workers log in as."""

from importlib.resources import files
from typing import Literal

Authentication = Literal["iam", "password"]


def schema(*, user: str = "worker", authentication: Authentication = "iam") -> str:
    """The SQL that makes tables, role and rights; to run it again is harmless.

    Args:
        user: The role that workers log in as. Defaults to `worker`.
        authentication: How they log in. Defaults to `iam`.
    """
    tables = files("fargate_workers_toolkit.database").joinpath("schema.sql").read_text(encoding="utf-8")
    role = '"' + user.replace('"', '""') + '"'
    literal = "'" + user.replace("'", "''") + "'"
    rights = f"""
-- The workers' role: it owns nothing, and may do no more than it needs.
DO $block$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {literal}) THEN
        CREATE ROLE {role} LOGIN;
    END IF;
END $block$;
GRANT SELECT, INSERT, DELETE ON message_claims TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON message_outbox TO {role};
"""
    return tables + rights + (f"GRANT rds_iam TO {role};\n" if authentication == "iam" else "")
