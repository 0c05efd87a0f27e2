"""A model hub on this machine, for tests: it speaks the calls by which data sets are made, written and read, checks who
asks and what was sent, and can be told to fail. As there, Parquet goes to large file storage, in a step of its own.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

TOKEN = "hf_a_secret_of_tests"


@dataclass
class Repository:
    """Its commits, oldest first, as what each file held then."""

    private: bool
    commits: list[dict[str, bytes]] = field(default_factory=lambda: [{".gitattributes": b"*.parquet filter=lfs"}])

    @property
    def head(self) -> str:
        return hashlib.sha1(f"commit {len(self.commits)}".encode()).hexdigest()

    @property
    def files(self) -> dict[str, bytes]:
        return self.commits[-1]


class Hub:
    """What it holds, what was asked, and what it shall refuse: each status in `trouble` once."""

    def __init__(self) -> None:
        self.url = ""
        self.data_sets: dict[str, Repository] = {}
        self.stored: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.trouble: list[int] = []
        self.answering = threading.Event()
        self.answering.set()

    def files(self, repo: str) -> dict[str, bytes]:
        return self.data_sets[repo].files


class Refused(Exception):
    def __init__(self, status: int, said: str, **headers: str) -> None:
        self.status, self.said, self.headers = status, said, headers


@contextmanager
def hub_running() -> Iterator[Hub]:
    """One that listens until the end of the block."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Answering", (_Answering,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield hub
    finally:
        hub.answering.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Answering(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self) -> None:
        sent = self.rfile.read(int(self.headers.get("content-length") or 0))
        path = unquote(self.path.partition("?")[0])
        self.hub.asked.append(f"{self.command} {path}")
        self.hub.answering.wait(30)
        try:
            if self.headers.get("authorization") != f"Bearer {TOKEN}" and not path.startswith("/stored/"):
                raise Refused(401, f"who is {self.headers.get('authorization')}?")
            body, headers = self._found(path, sent)
        except Refused as refused:
            self._send(refused.status, json.dumps({"error": refused.said}).encode(), refused.headers)
        else:
            self._send(200, body, headers)

    do_GET = do_HEAD = do_POST = do_PUT = _answer

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"content-type": "application/json", **headers, "content-length": str(len(body))}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _found(self, path: str, sent: bytes) -> tuple[bytes, dict[str, str]]:
        for pattern, work in _CALLS:
            if match := re.fullmatch(pattern, f"{self.command} {path}"):
                if self.hub.trouble:
                    raise Refused(self.hub.trouble.pop(0), "as the test wants it")
                answer = work(self.hub, *match.groups(), sent)
                return answer if isinstance(answer, tuple) else (json.dumps(answer).encode(), {})
        raise Refused(404, f"no such call: {self.command} {path}")


def _repository(hub: Hub, name: str) -> Repository:
    if name not in hub.data_sets:
        raise Refused(404, "Repository not found", x_error_code="RepoNotFound")
    return hub.data_sets[name]


def _create(hub: Hub, sent: bytes) -> Any:
    asked = json.loads(sent)
    name = f"{asked.get('organization') or 'me'}/{asked['name']}"
    assert asked["type"] == "dataset"
    hub.data_sets.setdefault(name, Repository(asked.get("visibility") == "private"))
    return {"url": f"{hub.url}/datasets/{name}"}


def _info(hub: Hub, name: str, sent: bytes) -> Any:
    found = _repository(hub, name)
    files = [{"rfilename": path} for path in sorted(found.files)]
    return {"id": name, "private": found.private, "sha": found.head, "siblings": files, "tags": []}


def _preupload(hub: Hub, name: str, sent: bytes) -> Any:
    _repository(hub, name)
    modes = [
        {
            "path": each["path"],
            "uploadMode": "lfs" if each["path"].endswith(".parquet") else "regular",
            "shouldIgnore": False,
        }
        for each in json.loads(sent)["files"]
    ]
    return {"files": modes}


def _batch(hub: Hub, name: str, sent: bytes) -> Any:
    def wanted(each: Any) -> Any:
        if each["oid"] in hub.stored:
            return each
        return each | {"actions": {"upload": {"href": f"{hub.url}/stored/{each['oid']}"}}}

    return {"transfer": "basic", "objects": [wanted(each) for each in json.loads(sent)["objects"]]}


def _store(hub: Hub, oid: str, sent: bytes) -> Any:
    if hashlib.sha256(sent).hexdigest() != oid:
        raise Refused(400, "other bytes than were announced")
    hub.stored[oid] = sent
    return {}


def _commit(hub: Hub, name: str, sent: bytes) -> Any:
    found, lines = _repository(hub, name), [json.loads(line) for line in sent.splitlines()]
    head, files = lines[0]["value"], dict(found.files)
    if head.get("parentCommit") not in (None, found.head):
        raise Refused(412, "A commit has happened since. Please refresh and try again.")
    for line in lines[1:]:
        its = line["value"]
        stored = line["key"] == "lfsFile"
        files[its["path"]] = hub.stored[its["oid"]] if stored else base64.b64decode(its["content"])
    found.commits.append(files)
    return {"success": True, "commitOid": found.head, "commitUrl": f"{hub.url}/datasets/{name}/commit/{found.head}"}


def _resolve(hub: Hub, name: str, revision: str, path: str, sent: bytes) -> Any:
    found = _repository(hub, name)
    if path not in found.files:
        raise Refused(404, "Entry not found", x_error_code="EntryNotFound")
    content = found.files[path]
    etag = hashlib.sha256(content).hexdigest()
    return content, {"etag": f'"{etag}"', "x-repo-commit": found.head, "content-type": "application/octet-stream"}


_NAME = r"([\w.-]+/[\w.-]+)"
_CALLS: list[tuple[str, Callable[..., Any]]] = [
    (r"POST /api/repos/create", _create),
    (rf"GET /api/datasets/{_NAME}", _info),
    (rf"POST /api/datasets/{_NAME}/preupload/main", _preupload),
    (rf"POST /datasets/{_NAME}\.git/info/lfs/objects/batch", _batch),
    (r"PUT /stored/(\w+)", _store),
    (rf"POST /api/datasets/{_NAME}/commit/main", _commit),
    (rf"(?:GET|HEAD) /datasets/{_NAME}/resolve/(\w+)/(.+)", _resolve),
]
