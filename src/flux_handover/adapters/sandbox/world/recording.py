"""What was fetched online, kept by content, and answered again offline.

Only successful answers and redirects to reads are kept: never a request's headers, never what a
registry's token service said. Git's packs are reads too, though they are asked for with POST.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from flux_handover.adapters.sandbox.control.kubeconfig import write_private
from flux_handover.adapters.sandbox.world.http import Request, Response

KEPT_HEADERS = frozenset(
    {"content-type", "docker-content-digest", "etag", "last-modified", "location", "docker-distribution-api-version"}
)
SENT_HEADERS = frozenset({"accept", "authorization", "content-type", "git-protocol", "user-agent", "content-encoding"})
KEPT_STATUS = frozenset({200, 301, 302, 303, 307, 308})
REALM = re.compile(r'realm="([^"]+)"')


class Recording:
    """A folder of answers: `answers/<key>.json` says the head, `content/<sha256>` is the body."""

    def __init__(self, folder: Path) -> None:
        self._answers = folder / "answers"
        self._content = folder / "content"
        for part in (self._answers, self._content):
            part.mkdir(parents=True, exist_ok=True)

    def hosts(self) -> frozenset[str]:
        """The hosts that something was recorded of."""
        records = (json.loads(path.read_text()) for path in self._answers.glob("*.json"))
        return frozenset(urlsplit(record["url"]).netloc for record in records)

    def find(self, request: Request) -> Response | None:
        """The recorded answer to a request."""
        path = self._answers / f"{key(request)}.json"
        if not path.is_file():
            return None
        record = json.loads(path.read_text())
        return Response(record["status"], (self._content / record["content"]).read_bytes(), record["headers"])

    def keep(self, request: Request, response: Response) -> None:
        """Records an answer; the body first, so that a head never names a body that is not there."""
        digest = hashlib.sha256(response.body).hexdigest()
        content = self._content / digest
        if not content.exists():
            draft = content.with_suffix(f".{threading.get_ident()}")
            draft.write_bytes(response.body)
            draft.replace(content)
        headers = {name: value for name, value in response.headers.items() if name.lower() in KEPT_HEADERS}
        record = {"url": request.url, "status": response.status, "content": digest, "headers": headers}
        write_private(self._answers / f"{key(request)}.json", json.dumps(record, indent=1))


def key(request: Request) -> str:
    """What makes two requests the same: method, address, wanted type, and body."""
    parts = (request.method, request.url, request.headers.get("accept", ""), hashlib.sha256(request.body).hexdigest())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


class Online:
    """Passes requests on to the real host, and records what comes back."""

    def __init__(self, recording: Recording, http: httpx2.Client | None = None) -> None:
        self._recording = recording
        self._http = http or httpx2.Client(timeout=60, follow_redirects=False)
        self._realms: set[str] = set()

    def close(self) -> None:
        """Closes its connections."""
        self._http.close()

    def reaches(self, host: str) -> bool:
        """Any host may answer."""
        return True

    def answer(self, request: Request) -> Response:
        """The real answer; 502 where there is none."""
        headers = {name: value for name, value in request.headers.items() if name in SENT_HEADERS}
        try:
            answer = self._http.request(request.method, request.url, content=request.body, headers=headers)
        except httpx2.HTTPError:
            return Response(502, b"no answer")
        response = Response(answer.status_code, answer.content, plain_headers(answer.headers))
        self._realms.update(REALM.findall(answer.headers.get("www-authenticate", "")))
        if self._is_kept(request, response):
            self._recording.keep(request, response)
        return response

    def _is_kept(self, request: Request, response: Response) -> bool:
        is_token = any(request.url.startswith(realm) for realm in self._realms)
        is_read = request.method in ("GET", "HEAD") or request.path.endswith("/git-upload-pack")
        return is_read and not is_token and response.status in KEPT_STATUS


class Replay:
    """Answers what was recorded, and remembers what was not."""

    def __init__(self, recording: Recording | None) -> None:
        self._recording = recording
        self._hosts = recording.hosts() if recording else frozenset()
        self._missed: set[str] = set()

    @property
    def missed(self) -> tuple[str, ...]:
        """The hosts and addresses that were asked for in vain."""
        return tuple(sorted(self._missed))

    def reaches(self, host: str) -> bool:
        """Whether anything was recorded of the host."""
        if host not in self._hosts:
            self._missed.add(host)
        return host in self._hosts

    def answer(self, request: Request) -> Response:
        """The recorded answer; 502 where there is none."""
        found = self._recording.find(request) if self._recording else None
        if found is None:
            self._missed.add(request.url.partition("?")[0])
            return Response(502, b"not recorded")
        return found


def plain_headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    """The headers that still hold after the body was read and decoded."""
    dropped = ("content-length", "transfer-encoding", "content-encoding", "connection")
    return {name: value for name, value in headers.items() if name.lower() not in dropped}
