"""Redirects of web servers, followed to places where a server may send its readers, and to no others."""

from __future__ import annotations

import ipaddress
import socket
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from ..errors import LagerError
from ..safe_text import scrubbed

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects within http and https, and never from https to http.

    A server elsewhere must not make this machine ask its own services or its network's: from a public host a redirect
    leads to the same host or a public one, and from none to a link-local address, where clouds keep credentials.
    """

    def redirect_request(  # noqa: PLR0917 (the base class's own signature)
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Any:
        """Return the next request, or raise `LagerError`."""
        before, after = urlsplit(req.full_url), urlsplit(newurl)
        reason = None
        if after.scheme not in {"http", "https"}:
            reason = "which is no web address"
        elif before.scheme == "https" and after.scheme != "https":
            reason = "without encryption"
        elif before.hostname != after.hostname:
            reason = _refusal(before.hostname, after.hostname)
        if reason is not None:
            if fp is not None:
                fp.close()
            raise LagerError(f"{scrubbed(req.full_url)} redirects to {scrubbed(newurl)}, {reason}: refused")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _refusal(before: str | None, after: str | None) -> str | None:
    """Return why a redirect to another host is not followed; None where it is."""
    there = _addresses(after)
    if any(one.is_link_local or one.is_multicast or one.is_unspecified for one in there):
        return "a link-local address"
    if all(one.is_global for one in there):
        return None
    here = _addresses(before)
    if any(one.is_global for one in here) or not here:
        return "which is no public address"
    if any(one.is_loopback for one in there) and not all(one.is_loopback for one in here):
        return "an address of this machine"
    return None


def _addresses(host: str | None) -> list[_Address]:
    """Return the addresses of a host; none where it has none, and nothing will be reached."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    addresses = [ipaddress.ip_address(str(address[0]).partition("%")[0]) for *_, address in found]
    return [getattr(one, "ipv4_mapped", None) or one for one in addresses]
