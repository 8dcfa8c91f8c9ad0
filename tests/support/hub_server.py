"""The part of the Hugging Face hub's HTTP interface that a dataset repository needs, on loopback, in memory."""

import base64
import hashlib
import http.server
import json
import re
import urllib.parse
from typing import Any

from support.loopback import serving


class HubServer(http.server.ThreadingHTTPServer):
    """Repositories by id, each with its privacy and its files; objects uploaded and not yet committed; all commits."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.private: dict[str, bool] = {}
        self.files: dict[str, dict[str, bytes]] = {}
        self.objects: dict[str, bytes] = {}
        self.commits: list[list[str]] = []
        self.cards: list[str] = []
        self.uploads = 0
        self.refused_after: int | None = None
        self.unknown: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: HubServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = urllib.parse.unquote(self.path.partition("?")[0])
        if path == "/api/repos/create":
            self._create(json.loads(body))
        elif path == "/api/validate-yaml":
            self.server.cards.append(json.loads(body)["content"])
            self._json({"errors": [], "warnings": []})
        elif match := re.fullmatch(r"/api/datasets/(\w+/\w+)/preupload/main", path):
            files = [{"path": f["path"], "uploadMode": _mode(f["path"]), "shouldIgnore": False, "oid": None}
                     for f in json.loads(body)["files"]]  # fmt: skip
            self._json({"files": files})
        elif path.endswith(".git/info/lfs/objects/batch"):
            self._json({"transfer": "basic", "objects": [self._upload(one) for one in json.loads(body)["objects"]]})
        elif match := re.fullmatch(r"/api/datasets/(\w+/\w+)/commit/main", path):
            self._commit(match[1], [json.loads(line) for line in body.splitlines()])
        elif match := re.fullmatch(r"/api/datasets/(\w+/\w+)/paths-info/main", path):
            wanted = urllib.parse.parse_qs(body.decode())["paths"] if body[:1] != b"{" else json.loads(body)["paths"]
            wanted = [wanted] if isinstance(wanted, str) else wanted
            self._json([entry for entry in self._entries(match[1]) if entry["path"] in wanted])
        else:
            self._unknown()

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.refused_after is not None and self.server.uploads >= self.server.refused_after:
            self._json({"error": "cut off"}, status=400)
            return
        self.server.uploads += 1
        self.server.objects[hashlib.sha256(body).hexdigest()] = body
        self._json({})

    def do_GET(self) -> None:
        path, _, _ = self.path.partition("?")
        path = urllib.parse.unquote(path)
        if match := re.fullmatch(r"/api/datasets/(\w+/\w+)(/revision/main)?", path):
            self._info(match[1])
        elif match := re.fullmatch(r"/api/datasets/(\w+/\w+)/tree/main/?(.*)", path):
            self._tree(match[1], match[2])
        elif match := re.fullmatch(r"/datasets/(\w+/\w+)/resolve/main/(.+)", path):
            self._file(match[1], match[2])
        elif re.fullmatch(r"/api/datasets/\w+", path):  # before 1.16 clients try the owner as a data set of its own
            self._json({"error": "Repository not found"}, status=404, code="RepoNotFound")
        else:
            self._unknown()

    do_HEAD = do_GET  # noqa: N815 (the base class looks for it)

    def _create(self, wanted: dict[str, Any]) -> None:
        name = f"{wanted.get('organization') or 'me'}/{wanted['name']}"
        if name in self.server.files:
            self._json({"error": "exists", "url": f"{self.server.url}/datasets/{name}"}, status=409)
            return
        private = wanted.get("visibility") == "private" or bool(wanted.get("private"))  # as clients said earlier
        self.server.private[name], self.server.files[name] = private, {}
        self._json({"url": f"{self.server.url}/datasets/{name}", "id": name})

    def _info(self, name: str) -> None:
        if name not in self.server.files:
            self._json({"error": "Repository not found"}, status=404, code="RepoNotFound")
            return
        self._json({"_id": "1", "id": name, "private": self.server.private[name], "sha": "0" * 40, "tags": [],
                    "siblings": []})  # fmt: skip

    def _upload(self, wanted: dict[str, Any]) -> dict[str, Any]:
        if wanted["oid"] in self.server.objects:  # no action: it is there
            return {"oid": wanted["oid"], "size": wanted["size"]}
        return {**wanted, "actions": {"upload": {"href": f"{self.server.url}/upload/{wanted['oid']}"}}}

    def _commit(self, name: str, lines: list[dict[str, Any]]) -> None:
        made = []
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "deletedFile":
                del self.server.files[name][value["path"]]
                made.append(f"-{value['path']}")
                continue
            large = line["key"] == "lfsFile"
            content = self.server.objects[value["oid"]] if large else base64.b64decode(value["content"])
            self.server.files[name][value["path"]] = content
            made.append(value["path"])
        self.server.commits.append(made)
        self._json({"commitUrl": f"{self.server.url}/datasets/{name}/commit/{'1' * 40}", "commitOid": "1" * 40,
                    "hookOutput": "", "success": True})  # fmt: skip

    def _entries(self, name: str) -> list[dict[str, Any]]:
        entries = []
        for path, content in self.server.files.get(name, {}).items():
            entry: dict[str, Any] = {"type": "file", "path": path, "size": len(content), "oid": "2" * 40}
            if _mode(path) == "lfs":
                oid = hashlib.sha256(content).hexdigest()
                entry["lfs"] = {"oid": oid, "size": len(content), "pointerSize": 134}
            entries.append(entry)
        return entries

    def _tree(self, name: str, folder: str) -> None:
        inside = f"{folder}/" if folder else ""
        found: list[dict[str, Any]] = []
        folders = set()
        for entry in self._entries(name):
            rest = entry["path"].removeprefix(inside)
            if not entry["path"].startswith(inside):
                continue
            if "/" in rest:
                folders.add(inside + rest.partition("/")[0])
            else:
                found.append(entry)
        found += [{"type": "directory", "path": path, "size": 0, "oid": "3" * 40} for path in sorted(folders)]
        if folder and not found:
            self._json({"error": "no such path"}, status=404, code="EntryNotFound")
        else:
            self._json(found)

    def _file(self, name: str, path: str) -> None:
        content = self.server.files.get(name, {}).get(path)
        if content is None:
            self._json({"error": "Entry not found"}, status=404, code="EntryNotFound")
            return
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        start, end = 0, len(content)
        if match:
            start, end = int(match[1]), min(end, int(match[2]) + 1 if match[2] else end)
        self.send_response(206 if match else 200)
        self.send_header("ETag", '"' + hashlib.sha256(content).hexdigest() + '"')
        self.send_header("X-Repo-Commit", "0" * 40)
        if match:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
        self._end(content[start:end])

    def _json(self, value: Any, *, status: int = 200, code: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if code is not None:
            self.send_header("X-Error-Code", code)
        self._end(json.dumps(value).encode())

    def _end(self, body: bytes) -> None:
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _unknown(self) -> None:
        self.server.unknown.append(f"{self.command} {self.path}")
        self._json({"error": "not part of this server"}, status=404)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def _mode(path: str) -> str:
    return "lfs" if path.endswith((".h5", ".parquet")) else "regular"


def hub_server():
    """A running hub."""
    return serving(HubServer())
