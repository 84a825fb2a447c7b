"""TLS in front of a plain TCP server on loopback: no Valkey wheel has TLS built in, and ElastiCache demands it."""

import argparse
import asyncio
import ssl
from pathlib import Path

CHUNK = 65536


async def serve(*, listen: int, connect: int, certificate: Path) -> None:
    """Accepts TLS on 127.0.0.1:`listen` and passes the bytes to and from 127.0.0.1:`connect`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", connect)
        await asyncio.gather(_pass(reader, upstream_writer), _pass(upstream_reader, writer))

    server = await asyncio.start_server(accept, "127.0.0.1", listen, ssl=context)
    async with server:
        await server.serve_forever()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
    except (ConnectionError, ssl.SSLError):
        pass  # the other side went away: so does this one
    finally:
        writer.close()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", type=int, required=True)
    parser.add_argument("--connect", type=int, required=True)
    parser.add_argument("--certificate", type=Path, required=True)
    asyncio.run(serve(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
