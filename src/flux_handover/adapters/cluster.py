"""A cluster through its API server: the user's by `--kubeconfig`, or the sandbox's.

lightkube reads the kubeconfig and builds the connection (certificates, tokens, exec plugins); on
top of it lies plain HTTP, because any kind must be reachable, also one whose CRD came a second
ago. Every error of the libraries below becomes a ClusterError.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import httpx2
import yaml
from lightkube.config.client_adapter import Client as connection
from lightkube.config.client_adapter import ConnectionParams
from lightkube.config.kubeconfig import KubeConfig, SingleConfig
from lightkube.core.exceptions import ConfigError, LoadResourceError

from flux_handover.errors import ClusterError
from flux_handover.objects import ObjectId, id_of, listed, mapping, text_at

DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
DISCOVERY_BEFORE = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = METADATA.replace("PartialObjectMetadata", "PartialObjectMetadataList")
MERGE_PATCH, JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
SERVED_SECONDS = 10.0
# A server that says 429 has done nothing yet, as while a changed CRD is taken up; client-go asks ten times too.
BUSY, ATTEMPTS, LONGEST_PAUSE_SECONDS = 429, 10, 5.0
Manifest = Mapping[str, Any]

# What a cluster writes by itself all the time; no plan speaks of it.
NOISE = frozenset(
    {
        ("", "Event"),
        ("events.k8s.io", "Event"),
        ("coordination.k8s.io", "Lease"),
        ("", "Endpoints"),
        ("discovery.k8s.io", "EndpointSlice"),
        ("apps", "ControllerRevision"),
        ("apiregistration.k8s.io", "APIService"),
    }
)


@dataclass(frozen=True, slots=True, order=True)
class Kind:
    """A kind of object that an API server serves, at the version it prefers."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str]

    @property
    def api_version(self) -> str:
        """As a manifest writes it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "") -> str:
        """The path of all its objects, of those in a namespace, or of one."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        place = f"/namespaces/{quote(namespace)}" if namespace and self.namespaced else ""
        return f"{root}{place}/{self.plural}" + (f"/{quote(name)}" if name else "")


class Cluster(Protocol):
    """What the executor and the gates need of a cluster."""

    def kinds(self) -> Sequence[Kind]:
        """Every kind served now."""
        ...

    def get(self, id: ObjectId) -> Manifest | None:
        """One object, or None where it, or its kind, does not exist."""
        ...

    def list(self, group: str, kind: str, *, namespace: str = "") -> Sequence[Manifest]:
        """All objects of a kind; none where the kind is not served."""
        ...

    def apply(self, manifest: Manifest, *, field_manager: str) -> Manifest:
        """The object after a forced server-side apply."""
        ...

    def patch(self, id: ObjectId, change: Manifest, *, field_manager: str, subresource: str = "") -> Manifest:
        """The object after a merge patch."""
        ...

    def delete(self, id: ObjectId, *, propagation: str = "Background") -> None:
        """Asks for a deletion; an object that is absent already is no error."""
        ...

    def snapshot(self) -> Mapping[ObjectId, Manifest]:
        """Every object, but for what the cluster itself writes all the time."""
        ...


class KubeCluster:
    """The Cluster behind a kubeconfig; safe to use from several threads."""

    def __init__(self, kubeconfig: Path, *, name: str | None = None) -> None:
        self.kubeconfig = kubeconfig
        self._config = configuration(kubeconfig, name)
        with mapped("reading the kubeconfig", str(kubeconfig)):
            self._http = connection(self._config, ConnectionParams(timeout=httpx2.Timeout(30), trust_env=False))
        self._kinds: Mapping[tuple[str, str], Kind] = MappingProxyType({})
        self._lock = threading.Lock()

    @property
    def server(self) -> str:
        """The address of the API server."""
        return str(self._config.cluster.server)

    def close(self) -> None:
        """Closes its connections."""
        self._http.close()

    def asynchronous(self) -> httpx2.AsyncClient:
        """A client of the same cluster for many watches at once."""
        settings = ConnectionParams(timeout=httpx2.Timeout(30, read=None), trust_env=False).httpx_params(self._config)
        return httpx2.AsyncClient(**{**settings, "limits": httpx2.Limits(max_connections=None)})

    def send(
        self, method: str, path: str, body: Manifest | Sequence[Any] | None = None, *, content: str = "application/json"
    ) -> Manifest:
        """The answer to one request; ClusterError with the server's own words where it refuses."""
        answer = self._answer(method, path, body, content)
        if answer.is_error:
            raise refusal(method, path, answer)
        return decoded(answer)

    def is_ready(self) -> bool:
        """Whether the API server says that it is ready to serve."""
        try:
            return self._http.get("/readyz").text == "ok"
        except httpx2.HTTPError:
            return False

    def kinds(self) -> Sequence[Kind]:
        """Every kind served now, one entry per kind, at the group's preferred version."""
        found: dict[tuple[str, str], Kind] = {}
        for path in ("/api", "/apis"):
            for kind in discovered(self._discovery(path)):
                found.setdefault((kind.group, kind.kind), kind)
        with self._lock:
            self._kinds = MappingProxyType(found)
        return tuple(sorted(found.values()))

    def kind(self, group: str, kind: str) -> Kind | None:
        """The kind, asking the server again where it was not known before."""
        if (group, kind) not in self._kinds:
            self.kinds()
        return self._kinds.get((group, kind))

    def get(self, id: ObjectId) -> Manifest | None:
        """One object, or None where it, or its kind, does not exist."""
        kind = self.kind(id.group, id.kind)
        return self._found(kind.path(id.namespace, id.name)) if kind else None

    def list(self, group: str, kind: str, *, namespace: str = "") -> Sequence[Manifest]:
        """All objects of a kind; none where the kind is not served."""
        served = self.kind(group, kind)
        return self._listed(served, namespace) if served else ()

    def apply(self, manifest: Manifest, *, field_manager: str) -> Manifest:
        """The object after a forced server-side apply, at the version the manifest names.

        A kind whose CRD came a moment ago is waited for.
        """
        id = id_of(manifest)
        kind = self._awaited(id)
        version = str(manifest["apiVersion"]).rpartition("/")[2]
        named = Kind(kind.group, version, kind.kind, kind.plural, kind.namespaced, kind.verbs)
        query = urlencode({"fieldManager": field_manager, "force": "true"})
        return self.send("PATCH", f"{named.path(id.namespace, id.name)}?{query}", manifest, content=APPLY_PATCH)

    def patch(self, id: ObjectId, change: Manifest, *, field_manager: str, subresource: str = "") -> Manifest:
        """The object after a merge patch; `subresource` is for example `status`."""
        path = self._required(id).path(id.namespace, id.name) + (f"/{subresource}" if subresource else "")
        return self.send("PATCH", f"{path}?{urlencode({'fieldManager': field_manager})}", change, content=MERGE_PATCH)

    def delete(self, id: ObjectId, *, propagation: str = "Background") -> None:
        """Asks for a deletion; an object that is absent already is no error."""
        kind = self.kind(id.group, id.kind)
        if kind is None:
            return
        path = kind.path(id.namespace, id.name)
        answer = self._answer("DELETE", path, {"propagationPolicy": propagation}, "application/json")
        if answer.is_error and answer.status_code != 404:
            raise refusal("DELETE", path, answer)

    def snapshot(self) -> Mapping[ObjectId, Manifest]:
        """Every object, but for what the cluster itself writes all the time."""
        found: dict[ObjectId, Manifest] = {}
        for kind in self.kinds():
            if is_listed(kind):
                found.update({id_of(manifest): manifest for manifest in self._listed(kind)})
        return MappingProxyType(found)

    def metadata(self) -> Mapping[ObjectId, Manifest]:
        """The metadata of every object but events: no content is read."""
        found: dict[ObjectId, Manifest] = {}
        for kind in self.kinds():
            if "list" in kind.verbs and kind.kind != "Event":
                answer = self._found(kind.path(), METADATA_LIST) or {}
                manifests = (completed(kind, manifest) for manifest in listed(answer.get("items")))
                found.update({id_of(manifest): manifest for manifest in manifests})
        return MappingProxyType(found)

    def watch(self, kind: Kind, version: str, *, seconds: int, namespace: str = "") -> Iterator[tuple[str, Manifest]]:
        """What happens to a kind from a resource version on, for at most `seconds`: type and object.

        Ends early, with the type `ERROR`, where the server no longer knows that version.
        """
        query = {"watch": "1", "resourceVersion": version, "timeoutSeconds": str(seconds), "allowWatchBookmarks": "1"}
        path = f"{kind.path(namespace)}?{urlencode(query)}"
        with (
            mapped("watching", path),
            self._http.stream("GET", path, timeout=httpx2.Timeout(30, read=seconds + 10)) as answer,
        ):
            if answer.is_error:
                answer.read()
                raise refusal("GET", path, answer)
            for line in answer.iter_lines():
                event = json.loads(line)
                yield str(event["type"]), mapping(event["object"])

    def listing(self, kind: Kind, *, namespace: str = "") -> tuple[Sequence[Manifest], str]:
        """All objects of a kind, and the resource version from which a watch goes on."""
        answer = self._found(kind.path(namespace)) or {}
        version = str(mapping(answer.get("metadata")).get("resourceVersion", ""))
        return tuple(completed(kind, manifest) for manifest in listed(answer.get("items"))), version

    def _listed(self, kind: Kind, namespace: str = "") -> Sequence[Manifest]:
        return self.listing(kind, namespace=namespace)[0]

    def _awaited(self, id: ObjectId) -> Kind:
        end = time.monotonic() + SERVED_SECONDS
        while self.kind(id.group, id.kind) is None and time.monotonic() < end:
            time.sleep(0.2)
        return self._required(id)

    def _required(self, id: ObjectId) -> Kind:
        kind = self.kind(id.group, id.kind)
        if kind is None:
            raise ClusterError(f"the cluster does not serve the kind of {id.full}", hint="is its CRD installed?")
        return kind

    def _found(self, path: str, accept: str = "application/json") -> Manifest | None:
        answer = self._answer("GET", path, None, "application/json", accept)
        if answer.status_code == 404:
            return None
        if answer.is_error:
            raise refusal("GET", path, answer)
        return decoded(answer)

    def _answer(
        self,
        method: str,
        path: str,
        body: Manifest | Sequence[Any] | None,
        content: str,
        accept: str = "application/json",
    ) -> httpx2.Response:
        # Manifests may be read-only mappings, which the encoder does not know.
        text = None if body is None else json.dumps(body, default=dict).encode()
        headers = {"Content-Type": content, "Accept": accept}
        with mapped(f"{method} {path.partition('?')[0]}", self.server):
            answer = self._http.request(method, path, content=text, headers=headers)
            for _ in range(ATTEMPTS):
                if answer.status_code != BUSY:
                    break
                time.sleep(pause(answer))
                answer = self._http.request(method, path, content=text, headers=headers)
            return answer

    def _discovery(self, path: str) -> Manifest:
        accept = f"{DISCOVERY},{DISCOVERY_BEFORE}"
        with mapped("discovery", self.server):
            answer = self._http.get(path, headers={"Accept": accept})
        if answer.is_error:
            raise refusal("GET", path, answer)
        return decoded(answer)


def configuration(kubeconfig: Path, name: str | None) -> SingleConfig:
    """One entry of a kubeconfig: the named one, else its current one."""
    with mapped("reading the kubeconfig", str(kubeconfig)):
        # lightkube takes whatever YAML holds for a kubeconfig; what is none would fail far from here.
        document = yaml.load(kubeconfig.read_text(), Loader=yaml.CSafeLoader)
        if not isinstance(document, dict) or not isinstance(document.get("contexts"), list):
            raise ConfigError("it has no list of contexts")
        chosen = KubeConfig.from_dict(document, fname=kubeconfig).get(context_name=name)
    if chosen is None:
        raise ClusterError("the kubeconfig has no such entry", where=str(kubeconfig), hint=f"it lacks {name!r}")
    return chosen


@contextmanager
def mapped(doing: str, where: str) -> Iterator[None]:
    """Turns every error of the libraries below into a ClusterError that says what was being done."""
    try:
        yield
    except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
        raise ClusterError(f"{doing}: no answer ({type(error).__name__})", where=where) from error
    except yaml.YAMLError as error:
        raise ClusterError(f"{doing}: it is not YAML", where=where) from error
    except (ConfigError, LoadResourceError, OSError, ssl.SSLError, ValueError, AssertionError, KeyError) as error:
        raise ClusterError(f"{doing}: {type(error).__name__}", where=where, hint=plain(error)) from error


def plain(error: Exception) -> str:
    """The first line of an error, without what it may carry of a file's content."""
    return str(error).splitlines()[0][:200] if isinstance(error, ConfigError | OSError) and str(error) else ""


def refusal(method: str, path: str, answer: httpx2.Response) -> ClusterError:
    """The error for a request that the server refused, with the reason it gives.

    The message of an invalid object quotes values, so only the reason and fields are repeated.
    """
    status = decoded(answer)
    reason = text_at(status, "reason", str(answer.status_code))
    causes = listed(mapping(status.get("details")).get("causes"))
    fields = ", ".join(str(mapping(cause).get("field", "")) for cause in causes)
    words = fields if fields else str(status.get("message", ""))[:300] if answer.status_code != 422 else ""
    return ClusterError(f"the API server refused {method}: {reason}", where=path.partition("?")[0], hint=words)


def pause(answer: httpx2.Response) -> float:
    """Seconds to wait before a busy server is asked again: as long as it says, within reason."""
    asked = answer.headers.get("Retry-After", "")
    return min(float(asked), LONGEST_PAUSE_SECONDS) if asked.isdigit() else 1.0


def decoded(answer: httpx2.Response) -> Manifest:
    """The JSON object of an answer, empty where it is none."""
    try:
        return mapping(answer.json())
    except ValueError:
        return MappingProxyType({"message": answer.text[:300]})


def completed(kind: Kind, manifest: Manifest) -> Manifest:
    """An object of a list, which omits what is equal for all of them."""
    return {**manifest, "apiVersion": kind.api_version, "kind": kind.kind}


def is_listed(kind: Kind) -> bool:
    """Whether a snapshot holds the objects of this kind."""
    return "list" in kind.verbs and (kind.group, kind.kind) not in NOISE


def discovered(document: Manifest) -> Iterator[Kind]:
    """The kinds of an aggregated discovery document, preferred version first."""
    if document.get("kind") != "APIGroupDiscoveryList":
        raise ClusterError("the API server does not know aggregated discovery", hint="it is older than 1.27")
    for group in listed(document.get("items")):
        name = str(mapping(group.get("metadata")).get("name", ""))
        for version in listed(group.get("versions")):
            for served in listed(version.get("resources")):
                yield Kind(
                    name,
                    str(version["version"]),
                    str(mapping(served.get("responseKind")).get("kind", "")),
                    str(served["resource"]),
                    served.get("scope") == "Namespaced",
                    frozenset(listed(served.get("verbs"))),
                )
