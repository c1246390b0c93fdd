"""Holds Kustomizations back while the others act, or stops them half-way, so that an order can be chosen.

An admission webhook delays or refuses what kustomize-controller writes or deletes for it. To the controller that is
an API server that says no: it tries again later, and has changed nothing meanwhile.
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flux_handover.adapters.sandbox.control.plane import ControlPlane
from flux_handover.adapters.sandbox.world.http import LoopbackServer, Request, Response, SiteHandler, serving
from flux_handover.objects import KUSTOMIZE_GROUP, ObjectId, mapping

NAME = "turnstile"
WAIT_SECONDS = 25
PAUSE_SECONDS = 15
Owner = tuple[str, str]
Key = tuple[str, str, str, str]
CONTROLLER = "system:serviceaccount:flux-system:kustomize-controller"
Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Stop:
    """A Kustomization that is stopped half-way: whether it has done one thing, and wants to do the next."""

    one: threading.Event = field(default_factory=threading.Event)
    reached: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class Pause:
    """A Kustomization that waits within its first write: whether it has come there, and whether it may go on.

    `late` is set if it was let go too late: by then the write has failed.
    """

    reached: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    late: threading.Event = field(default_factory=threading.Event)


class Turnstile:
    """Who is held back now; safe to use from several threads."""

    def __init__(self) -> None:
        self._held: set[Owner] = set()
        self._keeping: set[Owner] = set()
        self._taken: dict[Key, Owner] = {}
        self._pauses: dict[Owner, Pause] = {}
        self._stops: dict[Owner, Stop] = {}

    @contextmanager
    def hold(self, ks: ObjectId) -> Iterator[None]:
        """Lets a Kustomization write and delete nothing until the end of the block."""
        with self._among(self._held, (ks.namespace, ks.name)):
            yield

    @contextmanager
    def keep(self, ks: ObjectId) -> Iterator[None]:
        """Lets a Kustomization delete nothing until the end of the block."""
        with self._among(self._keeping, (ks.namespace, ks.name)):
            yield

    @contextmanager
    def _among(self, owners: set[Owner], owner: Owner) -> Iterator[None]:
        owners.add(owner)
        try:
            yield
        finally:
            owners.discard(owner)
            self._taken = {key: old for key, old in tuple(self._taken.items()) if old != owner}

    @contextmanager
    def pause(self, ks: ObjectId) -> Iterator[Pause]:
        """Lets the next write of a Kustomization, and so its reconcile, take until the end of the block."""
        owner = (ks.namespace, ks.name)
        pause = self._pauses[owner] = Pause()
        try:
            yield pause
        finally:
            pause.over.set()
            del self._pauses[owner]

    @contextmanager
    def stop_after_one(self, ks: ObjectId) -> Iterator[Stop]:
        """Lets a Kustomization write or delete one object; the next request waits, and fails once the block ends."""
        owner = (ks.namespace, ks.name)
        stop = self._stops[owner] = Stop()
        try:
            yield stop
        finally:
            stop.over.set()
            del self._stops[owner]

    def answer(self, request: Request) -> Response:
        """The verdict on one write."""
        asked = json.loads(request.body)["request"]
        owner = owner_of(asked)
        is_allowed = is_bookkeeping(asked) or not (self._is_refused(owner, asked) or self._is_stopped(owner, asked))
        verdict = {"uid": asked["uid"], "allowed": is_allowed, "status": {"message": f"{NAME} holds {owner}"}}
        review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": verdict}
        return Response(200, json.dumps(review).encode(), {"Content-Type": "application/json"})

    def _is_refused(self, owner: Owner, asked: Manifest) -> bool:
        pause = self._pauses.get(owner)
        if pause is not None and not asked.get("dryRun"):
            pause.reached.set()
            if not pause.over.wait(PAUSE_SECONDS):
                pause.late.set()
        if asked["operation"] == "DELETE":
            # It may have looked at the labels before another one changed them.
            owner = self._taken.get(key_of(asked), owner)
            return owner in self._held or owner in self._keeping
        before = owner_of({"object": asked.get("oldObject")})
        if before != owner and (before in self._held or before in self._keeping):
            self._taken[key_of(asked)] = before
        return owner in self._held

    def _is_stopped(self, owner: Owner, asked: Manifest) -> bool:
        stop = self._stops.get(owner)
        if stop is None or asked.get("dryRun"):
            return False
        if not stop.one.is_set():
            stop.one.set()
            return False
        stop.reached.set()
        stop.over.wait(WAIT_SECONDS)
        return True


def key_of(asked: Manifest) -> Key:
    """Group, kind, namespace and name of what is written or deleted."""
    kind = asked["kind"]
    return kind["group"], kind["kind"], str(asked.get("namespace")), asked["name"]


def owner_of(asked: Manifest) -> Owner:
    """Namespace and name of the Kustomization for which an object is written or deleted."""
    manifest = mapping(asked.get("object") or asked.get("oldObject"))
    labels = mapping(mapping(manifest.get("metadata")).get("labels"))
    return str(labels.get(f"{KUSTOMIZE_GROUP}/namespace")), str(labels.get(f"{KUSTOMIZE_GROUP}/name"))


def is_bookkeeping(asked: Manifest) -> bool:
    """Whether a write is nobody's apply: that of a finalizer, or of who is noted to have set which field."""
    old, new = mapping(asked.get("oldObject")), mapping(asked.get("object"))
    is_trial = bool(asked.get("dryRun")) and "spec" not in new
    return asked["operation"] == "UPDATE" and not is_trial and content(old) == content(new)


def content(manifest: Manifest) -> tuple[object, ...]:
    """What an apply would change of an object."""
    metadata = mapping(manifest.get("metadata"))
    rest = {key: value for key, value in manifest.items() if key not in ("metadata", "status")}
    return rest, metadata.get("labels"), metadata.get("annotations")


@contextmanager
def turnstile(plane: ControlPlane) -> Iterator[Turnstile]:
    """A turnstile before a control plane, until the end of the block."""
    one = Turnstile()
    certificate = plane.authority.certificate_for("127.0.0.1")
    server = LoopbackServer(SiteHandler, one.answer)
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(certificate.certificate, certificate.key)
    server.socket = secure.wrap_socket(server.socket, server_side=True)
    with serving(server):
        plane.cluster.apply(configuration(server.port, plane.authority.certificate.read_bytes()), field_manager=NAME)
        try:
            yield one
        finally:
            plane.cluster.delete(ObjectId("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", "", NAME))


def configuration(port: int, authority: bytes) -> Manifest:
    """The webhook as the API server wants it."""
    client = {"url": f"https://127.0.0.1:{port}/", "caBundle": base64.b64encode(authority).decode()}
    everything = {"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"], "scope": "*"}
    webhook = {
        "name": f"{NAME}.example.org",
        "clientConfig": client,
        "rules": [{**everything, "operations": ["CREATE", "UPDATE", "DELETE"]}],
        "matchConditions": [{"name": "controller", "expression": f"request.userInfo.username == '{CONTROLLER}'"}],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "failurePolicy": "Fail",
        "timeoutSeconds": 30,
    }
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
    return {**head, "metadata": {"name": NAME}, "webhooks": [webhook]}
