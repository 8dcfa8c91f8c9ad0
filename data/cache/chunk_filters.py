"""The filters of HDF5 chunks that shards use: shuffle, deflate and fletcher32, undone within bounds."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

_DEFLATE, _SHUFFLE, _FLETCHER32 = 1, 2, 3


def parse_filters(body: bytes) -> tuple[int, ...]:
    """Return the filters that a pipeline message names, in the order in which they were applied.

    Raises `ValueError` when it names others than shuffle, deflate and fletcher32, or one twice.
    """
    at, found = 8, []
    for _ in range(body[1] if body[:1] == b"\x01" and len(body) >= 8 else 0):
        kind, name_bytes, values = (int.from_bytes(body[at + k : at + k + 2], "little") for k in (0, 2, 6))
        at += 8 + name_bytes + 4 * (values + values % 2)
        found.append(kind)
    if not found or not set(found) <= {_DEFLATE, _SHUFFLE, _FLETCHER32} or len(set(found)) != len(found):
        raise ValueError(f"a dataset uses unknown filters ({found})")
    return tuple(found)


def decode(data: bytes, filters: tuple[int, ...], mask: int, item_bytes: int, size: int) -> bytes | NDArray[np.uint8]:
    """Undo the filters of one chunk.

    Raises `ValueError` when the checksum or the size is wrong.
    """
    used = [kind for place, kind in enumerate(filters) if not mask >> place & 1]
    decoded: bytes | NDArray[np.uint8] = data
    for kind in reversed(used):
        if kind == _FLETCHER32:
            decoded = bytes(decoded)
            decoded, stored = decoded[:-4], int.from_bytes(decoded[-4:], "little")
            if _fletcher32(decoded) != stored:
                raise ValueError("a chunk does not match its checksum")
        elif kind == _DEFLATE:
            stream = zlib.decompressobj()
            try:
                decoded = stream.decompress(bytes(decoded), size + 1)
            except zlib.error as error:
                raise ValueError(str(error)) from None
            if not stream.eof or stream.unused_data:
                raise ValueError("a chunk is not as long as it should be")
        elif len(decoded) == size:
            shuffled = np.frombuffer(decoded, np.uint8).reshape(item_bytes, -1)
            decoded = np.empty((size // item_bytes, item_bytes), np.uint8)
            for place in range(item_bytes):
                decoded[:, place] = shuffled[place]
            decoded = decoded.reshape(-1)
    if len(decoded) != size:
        raise ValueError(f"a chunk has {len(decoded)} bytes, expected {size}")
    return decoded


def _fletcher32(data: bytes) -> int:
    """Return Fletcher's checksum as HDF5 computes it: over big-endian 16-bit words, an odd byte padded."""
    words = np.frombuffer(data + bytes(len(data) % 2), ">u2")
    block = 4096  # sums within a block are exact in float64
    blocks = np.zeros((-(-len(words) // block), block))
    blocks.reshape(-1)[: len(words)] = words
    sums = blocks.sum(axis=1).astype(np.int64)
    # The second sum adds up the first one's running values: a word counts once for itself and for each after it.
    within = (blocks @ np.arange(block, 0, -1, dtype=np.float64)).astype(np.int64)
    total, running = 0, 0
    for one, two in zip(sums.tolist(), within.tolist(), strict=True):
        running += total * block + two
        total += one
    running -= total * (len(blocks) * block - len(words))
    # Sums are kept modulo 65535 by carrying, so what is not 0 never becomes 0.
    return (((running - 1) % 65535 + 1 if running else 0) << 16) | ((total - 1) % 65535 + 1 if total else 0)
