"""A certificate authority for one run, and a server certificate for loopback."""

from pathlib import Path

import trustme


def create_certificates(directory: Path) -> Path:
    """Write `ca.pem`, which tasks and functions receive as SSL_CERT_FILE, and `server.pem` with key and certificate.

    Args:
        directory: Receives both.

    Returns:
        `ca.pem`.
    """
    directory.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA(organization_name="fargate-workers local CA")
    authority.cert_pem.write_to_path(directory / "ca.pem")
    secret = directory / "server.pem"
    secret.touch(mode=0o600)
    authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(secret)
    return directory / "ca.pem"
