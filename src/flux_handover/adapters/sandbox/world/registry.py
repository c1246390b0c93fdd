"""A registry of OCI artifacts in memory, small but whole: tags, manifests, blobs, uploads.

Debian's docker-registry would do as well, but it exists on one system, cannot answer as several
hosts at once, and needs a folder and a port of its own. The client is tested against both.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from flux_handover.adapters.oci import MANIFEST, Layer, descriptor, digest_of
from flux_handover.adapters.sandbox.world.http import Request, Response

ROUTE = re.compile(r"/v2/(?P<repository>.+)/(?P<what>manifests|blobs|tags)/(?P<name>.+)")
UPLOAD = "uploads/"
CREATED = "2026-01-01T00:00:00Z"


@dataclass(slots=True)
class Repository:
    """The artifacts under one host and path: manifests by digest, digests by tag."""

    manifests: dict[str, bytes] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


class Registry:
    """A site that answers as any number of registry hosts."""

    def __init__(self) -> None:
        self._repositories: dict[tuple[str, str], Repository] = {}
        self._blobs: dict[str, bytes] = {}
        self._uploads: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def store(
        self,
        host: str,
        repository: str,
        tag: str,
        layers: Sequence[Layer],
        config: Layer,
        annotations: Mapping[str, str] | None = None,
    ) -> str:
        """Stores an artifact under a tag; its digest."""
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(config),
            "layers": [descriptor(layer) for layer in layers],
            "annotations": {"org.opencontainers.image.created": CREATED, **(annotations or {})},
        }
        with self._lock:
            for blob in (config, *layers):
                self._blobs[digest_of(blob.content)] = blob.content
        return self._put_manifest(host, repository, tag, json.dumps(manifest).encode())

    def has(self, host: str, repository: str) -> bool:
        """Whether anything is stored under a host and path."""
        return (host, repository) in self._repositories

    def answers(self, host: str) -> bool:
        """Whether anything is stored under a host."""
        return any(known == host for known, _ in self._repositories)

    def tags(self, host: str, repository: str) -> tuple[str, ...]:
        """The tags under a host and path."""
        found = self._repositories.get((host, repository))
        return tuple(sorted(found.tags)) if found else ()

    def answer(self, request: Request) -> Response:
        """The answer to one request of the distribution protocol."""
        if request.path in ("/v2", "/v2/"):
            return Response(200, b"{}", {"Content-Type": "application/json"})
        match = ROUTE.fullmatch(request.path)
        if match is None:
            return missing("NAME_UNKNOWN")
        repository, what, name = match["repository"], match["what"], match["name"]
        match what:
            case "manifests":
                return self._manifest(request, repository, name)
            case "tags":
                listed = {"name": repository, "tags": self.tags(request.host, repository)}
                return Response(200, json.dumps(listed).encode(), {"Content-Type": "application/json"})
            case _:
                return self._upload(request, name) if name.startswith(UPLOAD) or name == "uploads" else self._blob(name)

    def _manifest(self, request: Request, repository: str, name: str) -> Response:
        if request.method == "PUT":
            digest = self._put_manifest(request.host, repository, name, request.body)
            return Response(201, b"", {"Docker-Content-Digest": digest, "Location": request.path})
        found = self._repositories.get((request.host, repository), Repository())
        digest = found.tags.get(name, name)
        content = found.manifests.get(digest)
        if content is None:
            return missing("MANIFEST_UNKNOWN")
        kind = str(json.loads(content).get("mediaType") or MANIFEST)
        return sized(content, {"Content-Type": kind, "Docker-Content-Digest": digest})

    def _put_manifest(self, host: str, repository: str, name: str, content: bytes) -> str:
        digest = digest_of(content)
        with self._lock:
            there = self._repositories.setdefault((host, repository), Repository())
            there.manifests[digest] = content
            if not name.startswith("sha256:"):
                there.tags[name] = digest
        return digest

    def _blob(self, digest: str) -> Response:
        content = self._blobs.get(digest)
        if content is None:
            return missing("BLOB_UNKNOWN")
        return sized(content, {"Content-Type": "application/octet-stream", "Docker-Content-Digest": digest})

    def _upload(self, request: Request, name: str) -> Response:
        begun = name.removeprefix(UPLOAD).strip("/")
        if request.method == "POST":
            begun = secrets.token_hex(8)
            self._uploads[begun] = b""
        place = f"{request.path.partition('/uploads')[0]}/uploads/{begun}"
        if request.method == "POST" and "digest" not in parse_qs(request.query):
            return Response(202, b"", {"Location": place, "Range": "0-0"})
        return self._received(request, begun, place)

    def _received(self, request: Request, begun: str, place: str) -> Response:
        content = self._uploads.pop(begun, b"") + request.body
        if request.method == "PATCH":
            self._uploads[begun] = content
            return Response(202, b"", {"Location": place, "Range": f"0-{len(content) - 1}"})
        digest = parse_qs(request.query).get("digest", [""])[0]
        if digest_of(content) != digest:
            return Response(400, b'{"errors":[{"code":"DIGEST_INVALID"}]}')
        with self._lock:
            self._blobs[digest] = content
        return Response(201, b"", {"Docker-Content-Digest": digest, "Location": place})


def sized(content: bytes, headers: Mapping[str, str]) -> Response:
    """An answer with its length, which HEAD needs too."""
    return Response(200, content, {**headers, "Content-Length": str(len(content))})


def missing(code: str) -> Response:
    """The answer for what the registry does not hold."""
    return Response(404, json.dumps({"errors": [{"code": code}]}).encode(), {"Content-Type": "application/json"})
