"""A web server on loopback that knows ranges, and misbehaves when told to."""

import http.server
import re
import threading
import time
from pathlib import Path

from support.loopback import serving

_SLOW_BLOCK = 16 << 10


class WebServer(http.server.ThreadingHTTPServer):
    """Serves one folder.

    `cuts` holds the numbers of bytes after which the next answers with a shard are cut off; `requests` what was asked
    for: path, range and authorization; `sent` counts the bytes of bodies; `hold` stops shards half way until it is set;
    `pause` is waited after each block.
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.cuts: list[int] = []
        self.requests: list[tuple[str, str | None, str | None]] = []
        self.sent = 0
        self.knows_ranges = True
        self.status: int | None = None
        self.redirect: str | None = None
        self.lock = threading.Lock()
        self.hold: threading.Event | None = None
        self.pause = 0.0

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that went away."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: WebServer

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        with self.server.lock:
            self.server.requests.append((self.path, wanted, self.headers.get("Authorization")))
        if self.server.redirect is not None:
            self.send_response(302)
            self.send_header("Location", self.server.redirect + self.path)
            self.end_headers()
            return
        path = self.server.folder / self.path.partition("?")[0].lstrip("/")
        if self.server.status is not None or not path.is_file():
            self.send_error(self.server.status or 404)
            return
        body, start = path.read_bytes(), 0
        size = len(body)
        match = re.fullmatch(r"bytes=(\d+)-", wanted or "")
        if match and self.server.knows_ranges:
            start = int(match[1])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(size - start))
        self.end_headers()
        self._send(body[start:])

    def _send(self, body: bytes) -> None:
        with self.server.lock:
            cuts = self.server.cuts if self.path.endswith(".h5") else []
            cut = next((cut for cut in cuts if cut < len(body)), None)
            if cut is not None:
                self.server.cuts.remove(cut)
                body = body[:cut]
        held = self.server.hold is not None and self.path.endswith(".h5")
        step = len(body) // 2 + 1 if held else _SLOW_BLOCK if self.server.pause else max(len(body), 1)
        for start in range(0, len(body), step):
            piece = body[start : start + step]
            self.wfile.write(piece)
            with self.server.lock:
                self.server.sent += len(piece)
            if held and start == 0:
                self.server.hold.wait(30)
            time.sleep(self.server.pause)
        if cut is not None:
            self.close_connection = True
            self.connection.close()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def web_server(folder: Path):
    """A running server of a folder."""
    return serving(WebServer(folder))
