"""The world beside a real source-controller: every kind of address that a source may have."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from builders import repo

from flux_handover.adapters.oci import FLUX_CONFIG, FLUX_LAYER, Layer, packed
from flux_handover.adapters.sandbox.binaries.providers import Program
from flux_handover.adapters.sandbox.session import Sandbox, running_sandbox
from flux_handover.catalogue.manifests import install_manifests
from flux_handover.errors import SandboxError
from flux_handover.objects import SOURCE_GROUP, ObjectId, mapping

pytestmark = pytest.mark.sandbox
Obtain = Callable[..., Mapping[str, Program]]
Eventually = Callable[..., None]
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "source-controller", "gitssh")
HOME = repo("apps/a.yaml", "kind: A\n")


@pytest.fixture(scope="module")
def sandbox(obtain: Obtain) -> Iterator[Sandbox]:
    with running_sandbox(obtain(*PROGRAMS)) as running:
        for manifest in install_manifests("v2.9.4", ("source-controller",), "flux-system"):
            running.cluster.apply(manifest, field_manager="flux")
        yield running


def apply_source(sandbox: Sandbox, kind: str, name: str, **spec: Any) -> ObjectId:
    metadata = {"name": name, "namespace": "flux-system"}
    manifest = {"apiVersion": f"{SOURCE_GROUP}/v1", "kind": kind, "metadata": metadata}
    sandbox.cluster.apply({**manifest, "spec": {"interval": "1h", **spec}}, field_manager="test")
    return ObjectId(SOURCE_GROUP, kind, "flux-system", name)


def revision(sandbox: Sandbox, id: ObjectId) -> str:
    status = mapping((sandbox.cluster.get(id) or {}).get("status"))
    return str(mapping(status.get("artifact")).get("revision", ""))


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("ssh", "ssh://git@git.example.org/ada/by-ssh"),
        ("port", "ssh://git@git.example.org:2222/ada/by-port.git"),
        ("https", "https://git.example.org/ada/by-https.git"),
        ("http", "http://git.example.org/ada/by-http"),
    ],
)
def test_a_source_fetches_from_the_address_it_names(
    sandbox: Sandbox, eventually: Eventually, name: str, url: str
) -> None:
    sha = sandbox.world.repository(url).commit(HOME, "main", "one")
    secret: dict[str, Any] = {}
    if url.startswith("ssh"):
        content = dict(sandbox.world.ssh_secret(url))
        metadata = {"name": f"{name}-key", "namespace": "flux-system"}
        manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": content}
        sandbox.cluster.apply(manifest, field_manager="test")
        secret = {"secretRef": {"name": f"{name}-key"}}

    id = apply_source(sandbox, "GitRepository", name, url=url, ref={"branch": "main"}, **secret)

    eventually(lambda: revision(sandbox, id) == f"main@sha1:{sha}", seconds=60, what=f"{url} was fetched")
    assert sandbox.world.has(url)


def test_an_artifact_is_fetched_from_the_registry_it_names(sandbox: Sandbox, eventually: Eventually) -> None:
    layer = Layer(FLUX_LAYER, packed({"a.yaml": b"kind: A\n"}))
    digest = sandbox.world.registry.store("ghcr.io", "ada/manifests", "v1", (layer,), Layer(FLUX_CONFIG, b"{}"))

    id = apply_source(sandbox, "OCIRepository", "oci", url="oci://ghcr.io/ada/manifests", ref={"tag": "v1"})

    eventually(lambda: revision(sandbox, id) == f"v1@{digest}", seconds=60, what="the artifact was fetched")


def test_a_range_of_versions_finds_the_highest_tag(sandbox: Sandbox, eventually: Eventually) -> None:
    for tag in ("1.0.0", "1.2.0", "2.0.0"):
        layer = Layer(FLUX_LAYER, packed({"a.yaml": tag.encode()}))
        sandbox.world.registry.store("ghcr.io", "ada/ranged", tag, (layer,), Layer(FLUX_CONFIG, b"{}"))

    id = apply_source(sandbox, "OCIRepository", "range", url="oci://ghcr.io/ada/ranged", ref={"semver": "1.x"})

    eventually(lambda: revision(sandbox, id).startswith("1.2.0@"), seconds=60, what="the artifact was fetched")


def test_what_nobody_serves_is_lifted_and_named(sandbox: Sandbox, eventually: Eventually) -> None:
    id = apply_source(sandbox, "HelmRepository", "elsewhere", url="https://charts.example.org")

    eventually(lambda: id in sandbox.lifter.lifted, seconds=60, what="it is lifted")
    assert not sandbox.world.has("https://charts.example.org")
    assert "charts.example.org" in sandbox.world.missed


def test_a_web_page_is_answered_by_its_address(sandbox: Sandbox) -> None:
    sandbox.world.publish("https://raw.example.org/ada/crd.yaml", b"kind: CustomResourceDefinition\n")
    proxy, certificate = (sandbox.world.environment[name] for name in ("HTTPS_PROXY", "SSL_CERT_FILE"))
    command = ("curl", "-sS", "--proxy", proxy, "--cacert", certificate, "https://raw.example.org/ada/crd.yaml")

    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": os.environ["PATH"]})

    assert done.stdout == "kind: CustomResourceDefinition\n"


def test_addresses_that_are_no_git_are_refused(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxError, match="cannot be served"):
        sandbox.world.repository("oci://ghcr.io/ada/home")
