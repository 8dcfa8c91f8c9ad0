"""A folder on a web server, for reading."""

from __future__ import annotations

import base64
import http.client
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from ..errors import LagerError
from ..safe_text import scrubbed
from .redirects import SafeRedirects
from .remote import MissingError, UnreachableError

# Of silence. A server that sends less than so many bytes in so many seconds is as good as silent.
_TIMEOUT_SECONDS = 30.0
_LEAST_BYTES, _LEAST_SECONDS = 16 << 10, 30.0
# What is read at once is lost when the process ends: little, since one request brings the whole file anyway.
_BLOCK = 256 << 10
_RANGE = re.compile(r"bytes (\d+)-\d+/(?:\d+|\*)")
_NOT_THERE = {404, 410}
_TRY_AGAIN = {408, 425, 429}


class HttpRemote:
    """Files under one URL.

    Parameters
    ----------
    url : str
        ``https://`` or ``http://``. A query (a signed link's token) is sent with every file. A user and password are
        sent as basic authentication, to that host only.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host = parts.netloc.rpartition("@")[2]
        self.shown = f"{parts.scheme}://{self._host}{parts.path.rstrip('/')}"
        self._parts = parts
        self._authorization: str | None = None
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._authorization = "Basic " + base64.b64encode(pair.encode()).decode()
        self._opener = urllib.request.build_opener(SafeRedirects)

    def read(self, name: str, *, limit: int) -> bytes:
        """Return a whole small file."""
        with self._told(name), self._get(name, start=0) as answer:
            content = b"".join(_pieces(answer, limit + 1))
            if len(content) > limit:
                raise LagerError(f"{self.shown}/{name} has more than {limit} bytes: it is no {name} of a cache")
            expected = answer.headers.get("Content-Length")
            if expected is not None and len(content) < int(expected):
                raise UnreachableError(f"{self.shown}/{name} was cut off after {len(content)} bytes")
        return content

    def blocks(self, name: str, *, start: int, size: int) -> Iterator[tuple[int, bytes]]:
        """Yield (offset, bytes) from `start` on, or from 0 from a server that knows no ranges."""
        with self._told(name), self._get(name, start=start) as answer:
            position = self._start(answer, name) if answer.status == 206 else 0
            for block in _pieces(answer, size - position):
                yield position, block
                position += len(block)

    def _get(self, name: str, *, start: int) -> Any:
        path = f"{self._parts.path.rstrip('/')}/{quote(name)}"
        request = urllib.request.Request(urlunsplit((self._parts.scheme, self._host, path, self._parts.query, "")))
        request.add_header("User-Agent", "lager")
        request.add_header("Accept-Encoding", "identity")
        if self._authorization is not None:
            request.add_unredirected_header("Authorization", self._authorization)
        if start:
            request.add_header("Range", f"bytes={start}-")
        return self._opener.open(request, timeout=_TIMEOUT_SECONDS)

    def _start(self, answer: Any, name: str) -> int:
        match = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        if match is None:
            raise LagerError(f"{self.shown}/{name}: the server sent a part of the file and did not say which")
        return int(match[1])

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        where = f"{self.shown}/{name}"
        try:
            yield
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in _NOT_THERE:
                raise MissingError(f"{where} does not exist (the server says {error.code})") from None
            if error.code in _TRY_AGAIN or error.code >= 500:
                raise UnreachableError(f"{where}: the server says {error.code}") from None
            raise LagerError(f"{where}: the server refuses it ({error.code}); check the URL and its token") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            if isinstance(error, LagerError):
                raise
            reason = scrubbed(str(getattr(error, "reason", error)) or type(error).__name__)
            raise UnreachableError(f"cannot reach {where}: {reason.splitlines()[0][:200]}") from None


def _pieces(answer: Any, size: int) -> Iterator[bytes]:
    """Yield what comes as it comes, `size` bytes at most; `OSError` where it comes too slowly to be waited for."""
    since, came = time.monotonic(), 0
    while size > 0 and (block := answer.read1(min(_BLOCK, size))):
        size -= len(block)
        came += len(block)
        yield block
        if time.monotonic() - since > _LEAST_SECONDS:
            if came < _LEAST_BYTES:
                raise TimeoutError(f"only {came} bytes came in {_LEAST_SECONDS:g} s")
            since, came = time.monotonic(), 0
