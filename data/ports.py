"""Whether a cluster answers at its address, asked before a client that would try for minutes."""

from __future__ import annotations

import socket

_SECONDS = 30


def silent_port(address: str | None) -> str | None:
    """Return why nothing answers at ``[SCHEME://]HOST:PORT``; None where something does, or there is no port in it."""
    if address is None:
        return None
    host, colon, port = address.rsplit("://", maxsplit=1)[-1].rpartition(":")
    if not (colon and port.isdigit()):
        return None
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS).close()
    except (OSError, OverflowError) as error:
        return str(error)
    return None
