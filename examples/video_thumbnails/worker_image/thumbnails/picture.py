"""A small picture of a video, without a codec: its first bytes as shades of grey. Put your ffmpeg call in its place."""

import struct
import zlib

WIDTH, HEIGHT = 64, 36


def picture_of(video: bytes) -> bytes:
    """Return a PNG.

    Args:
        video: The beginning of the video; what is missing is black.
    """
    pixels = video[: WIDTH * HEIGHT].ljust(WIDTH * HEIGHT, b"\0")
    rows = b"".join(b"\0" + pixels[WIDTH * row : WIDTH * (row + 1)] for row in range(HEIGHT))
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
