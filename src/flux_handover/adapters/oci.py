"""OCI registries: artifacts and images by digest, pulled, unpacked and pushed without a container runtime.

Only what is anonymous: a registry that asks for a token gets the one it hands to everybody. Every
byte is compared with its digest before it is used, sizes are bounded, and nothing that a layer holds
is written outside the folder it is unpacked to.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import platform
import re
import shutil
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urljoin

import httpx2

from flux_handover.errors import HandoverError
from flux_handover.objects import mapping

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
ACCEPTED = ", ".join((MANIFEST, INDEX, DOCKER, DOCKER_LIST))
FLUX_CONFIG = "application/vnd.cncf.flux.config.v1+json"
FLUX_LAYER = "application/vnd.cncf.flux.content.v1.tar+gzip"
HELM_CONFIG = "application/vnd.cncf.helm.config.v1+json"
HELM_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
LARGEST_MANIFEST, LARGEST_BLOB = 4 << 20, 1 << 30
REFERENCE = re.compile(
    r"(?:oci://)?([^/]+\.[^/]+|[^/]+:\d+|localhost)/([a-z0-9._/-]+)(?::([\w.+-]+))?(?:@(sha256:[0-9a-f]{64}))?"
)
CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
OPAQUE, WHITEOUT = ".wh..wh..opq", ".wh."


class OciError(HandoverError):
    """A registry that does not have, or does not give, what was asked for."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Where an artifact is: host, repository, and tag or digest."""

    host: str
    repository: str
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.host}/{self.repository}{tag}{digest}"

    @property
    def base(self) -> str:
        """The address of its repository; a loopback registry has no certificate, as Docker has it too."""
        name = self.host.partition(":")[0]
        scheme = "http" if name in ("127.0.0.1", "localhost") else "https"
        return f"{scheme}://{self.host}/v2/{self.repository}"


@dataclass(frozen=True, slots=True)
class Layer:
    """One blob of an artifact: its media type and bytes."""

    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Artifact:
    """What a registry holds under a reference: digest, manifest, and the layers in order."""

    digest: str
    manifest: Mapping[str, Any]
    config: Mapping[str, Any]
    layers: tuple[Layer, ...]


def parse_reference(text: str) -> Reference:
    """The reference that an `oci://` address or an image names; its host must be written out."""
    match = REFERENCE.fullmatch(text)
    if match is None:
        raise OciError(f"{text!r} names no artifact", hint="expected host/repository:tag or host/repository@sha256:…")
    host, repository, tag, digest = match.groups()
    return Reference(host, repository, tag or "", digest or "")


class OciClient:
    """A client of any registry; keeps the tokens it was given while it lives."""

    def __init__(self, http: httpx2.Client | None = None) -> None:
        self._http = http or httpx2.Client(timeout=60, follow_redirects=True, trust_env=True)
        self._tokens: dict[str, str] = {}

    def __enter__(self) -> OciClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes its connections."""
        self._http.close()

    def resolve(self, reference: Reference) -> str:
        """The digest that a reference has now."""
        return digest_of(self._manifest(reference, reference.digest or reference.tag or "latest")[0])

    def pull(self, reference: Reference) -> Artifact:
        """The artifact, every blob verified; of several platforms, Linux on this machine's processor."""
        if reference.digest:
            content, manifest = self._verified(reference, reference.digest)
        else:
            content, manifest = self._manifest(reference, reference.tag or "latest")
        if "manifests" in manifest:
            content, manifest = self._verified(reference, for_this_machine(manifest, str(reference)))
        config = json.loads(self._blob(reference, mapping(manifest.get("config"))))
        layers = tuple(
            Layer(str(layer.get("mediaType", "")), self._blob(reference, layer)) for layer in manifest["layers"]
        )
        return Artifact(digest_of(content), manifest, mapping(config), layers)

    def _verified(self, reference: Reference, digest: str) -> tuple[bytes, Mapping[str, Any]]:
        content, manifest = self._manifest(reference, digest)
        if digest_of(content) != digest:
            raise OciError("the registry's answer is not what its digest says", where=str(reference))
        return content, manifest

    def push(
        self,
        reference: Reference,
        layers: Sequence[Layer],
        *,
        config: Layer = Layer(FLUX_CONFIG, b"{}"),
        annotations: Mapping[str, str] | None = None,
    ) -> str:
        """Stores an artifact under the reference's tag; its digest."""
        for blob in (config, *layers):
            self._upload(reference, blob.content)
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(config),
            "layers": [descriptor(layer) for layer in layers],
            "annotations": dict(annotations or {}),
        }
        content = json.dumps(manifest).encode()
        url = f"{reference.base}/manifests/{reference.tag or 'latest'}"
        self._ask("PUT", url, reference, content=content, headers={"Content-Type": MANIFEST})
        return digest_of(content)

    def _manifest(self, reference: Reference, name: str) -> tuple[bytes, Mapping[str, Any]]:
        answer = self._ask("GET", f"{reference.base}/manifests/{name}", reference, headers={"Accept": ACCEPTED})
        if len(answer.content) > LARGEST_MANIFEST:
            raise OciError("the manifest is too large", where=str(reference))
        with understood(reference):
            return answer.content, mapping(json.loads(answer.content))

    def _blob(self, reference: Reference, blob: Mapping[str, Any]) -> bytes:
        digest, size = str(blob.get("digest", "")), int(blob.get("size", 0))
        if size > LARGEST_BLOB:
            raise OciError(f"a layer of {size} bytes is too large", where=str(reference))
        content: bytes = self._ask("GET", f"{reference.base}/blobs/{digest}", reference).content
        if digest_of(content) != digest:
            raise OciError("a layer is not what its digest says", where=str(reference))
        return content

    def _upload(self, reference: Reference, content: bytes) -> None:
        begun = self._ask("POST", f"{reference.base}/blobs/uploads/", reference)
        place = urljoin(f"{reference.base}/blobs/uploads/", begun.headers["Location"])
        url = httpx2.URL(place).copy_merge_params({"digest": digest_of(content)})
        self._ask("PUT", str(url), reference, content=content, headers={"Content-Type": "application/octet-stream"})

    def _ask(
        self,
        method: str,
        url: str,
        reference: Reference,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        with understood(reference):
            answer = self._once(method, url, reference, content, headers)
            if answer.status_code == 401 and (token := self._new_token(answer)):
                self._tokens[reference.base] = token
                answer = self._once(method, url, reference, content, headers)
        if answer.is_error:
            raise OciError(f"the registry answered {answer.status_code}", where=str(reference))
        return answer

    def _once(
        self, method: str, url: str, reference: Reference, content: bytes | None, headers: Mapping[str, str] | None
    ) -> httpx2.Response:
        token = self._tokens.get(reference.base)
        authorization = {"Authorization": f"Bearer {token}"} if token else {}
        return self._http.request(method, url, content=content, headers={**(headers or {}), **authorization})

    def _new_token(self, refused: httpx2.Response) -> str:
        """The token that the registry hands to everybody, if it has such a thing."""
        challenge = dict(CHALLENGE.findall(refused.headers.get("WWW-Authenticate", "")))
        realm = challenge.pop("realm", "")
        if not realm:
            return ""
        answer = self._http.get(realm, params=challenge)
        found = mapping(answer.json()) if answer.is_success else {}
        return str(found.get("token") or found.get("access_token") or "")


@contextmanager
def understood(reference: Reference) -> Iterator[None]:
    """Turns the errors of the libraries below into an OciError."""
    try:
        yield
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise OciError(f"the registry gave no answer ({type(error).__name__})", where=str(reference)) from error
    except ValueError as error:
        raise OciError("the registry's answer is not JSON", where=str(reference)) from error


def for_this_machine(index: Mapping[str, Any], where: str) -> str:
    """The digest of an index's entry for Linux on this machine's processor."""
    processor = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    for entry in index.get("manifests") or ():
        wanted = mapping(entry.get("platform"))
        if (wanted.get("os"), wanted.get("architecture")) == ("linux", processor):
            return str(entry["digest"])
    raise OciError(f"there is no image for linux/{processor}", where=where)


def descriptor(layer: Layer) -> Mapping[str, Any]:
    """How a manifest names a blob."""
    return {"mediaType": layer.media_type, "digest": digest_of(layer.content), "size": len(layer.content)}


def digest_of(content: bytes) -> str:
    """The digest that a registry keeps a blob under."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def packed(files: Mapping[str, bytes]) -> bytes:
    """A gzipped tar of files; equal files give equal bytes."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        for path in sorted(files):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(files[path]), 0o644
            tar.addfile(entry, io.BytesIO(files[path]))
    return buffer.getvalue()


def unpack(layers: Sequence[Layer], folder: Path) -> None:
    """Lays the layers of an image over each other in a folder.

    Entries that would lead outside it, devices and the like are left out: no program needs them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for layer in layers:
        with tarfile.open(fileobj=io.BytesIO(layer.content), mode="r:*") as tar:
            for entry in tar:
                place(tar, entry, folder)


def place(tar: tarfile.TarFile, entry: tarfile.TarInfo, folder: Path) -> None:
    """Writes one entry of a layer, or removes what it says an upper layer removed."""
    parent, _, name = entry.name.strip("/").rpartition("/")
    if name.startswith(WHITEOUT):
        remove(folder, parent, name)
        return
    try:
        safe = tarfile.data_filter(entry, str(folder))
    except tarfile.FilterError:
        return
    if safe is not None and (entry.isfile() or entry.isdir() or entry.issym()):
        tar.extract(safe, folder, filter="data")


def remove(folder: Path, parent: str, name: str) -> None:
    """Removes what a whiteout names: one entry, or all that lower layers put into a folder."""
    base = (folder / parent).resolve()
    if not base.is_relative_to(folder.resolve()) or not base.is_dir():
        return
    removed = name.removeprefix(WHITEOUT)
    if name == OPAQUE:
        for path in base.iterdir():
            delete_tree(path)
    elif removed not in ("", ".", ".."):
        delete_tree(base / removed)


def delete_tree(path: Path) -> None:
    """Deletes a file, a link or a whole folder, never what a link points to."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
