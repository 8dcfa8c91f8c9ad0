"""An S3-compatible server on loopback, and a proxy in front of it that cuts transfers off.

The server is moto's, unless LAGER_TEST_S3 names another that runs already, with its keys in the usual variables.
"""

import os
import socket
import socketserver
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

from support.loopback import serving


@contextmanager
def s3_server():
    """The URL of a server."""
    if given := os.environ.get("LAGER_TEST_S3"):
        yield given
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int) -> None:
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError("the S3 server did not start")


class CuttingProxy(socketserver.ThreadingTCPServer):
    """Passes TCP on; after `up` or `down` bytes over all connections each one is cut off, None for never."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Relay)
        self.target = ("127.0.0.1", port)
        self.up: int | None = None
        self.down: int | None = None
        self.passed = {"up": 0, "down": 0}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Relay(socketserver.BaseRequestHandler):
    server: CuttingProxy

    def handle(self) -> None:
        with socket.create_connection(self.server.target) as upstream:
            back = threading.Thread(target=self._pass, args=(upstream, self.request, "down"), daemon=True)
            back.start()
            self._pass(self.request, upstream, "up")
            back.join()

    def _pass(self, source: socket.socket, target: socket.socket, direction: str) -> None:
        passed = self.server.passed
        try:
            while data := source.recv(4096):
                limit = getattr(self.server, direction)
                if limit is not None and passed[direction] + len(data) > limit:
                    break
                passed[direction] += len(data)
                target.sendall(data)
        except OSError:
            pass
        finally:
            for one in (source, target):
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue


def cutting_proxy(url: str):
    """A running proxy in front of a server."""
    return serving(CuttingProxy(int(url.rpartition(":")[2])))
