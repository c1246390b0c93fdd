"""A real repository, whole: what theory says of its inventories is what the controllers record."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from builders import unpacked

from flux_handover.adapters.sandbox.binaries.providers import Program
from flux_handover.adapters.sandbox.releases.artifacts import add_flux_manifests
from flux_handover.adapters.sandbox.session import Sandbox, running_sandbox
from flux_handover.adapters.sandbox.standins.placeholders import placeholder
from flux_handover.adapters.sandbox.standins.stubs import stub_crd, stub_kinds
from flux_handover.catalogue.distributions import controller_version
from flux_handover.catalogue.manifests import base_manifests
from flux_handover.objects import KUSTOMIZE_GROUP, Object, ObjectId, mapping, object_of
from flux_handover.tree import Tree

pytestmark = [pytest.mark.sandbox, pytest.mark.full]
ARCHIVE = Path(__file__).parents[3] / "shared" / "corpus" / "flux-talos-0-base.tar.xz"
FLUX = "v2.6.4"
CONTROLLERS = ("source-controller", "kustomize-controller", "helm-controller", "notification-controller")
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", *CONTROLLERS, "sops", "age-keygen")
NOT_APPLIED = ("Component", "HelmRelease")
Manifest = Mapping[str, Any]
Obtain = Callable[..., Mapping[str, Program]]
Eventually = Callable[..., None]


def documents(tree: Tree, *, below: str) -> Iterator[Object]:
    """Every object written below a folder, of files that can be read."""
    for path in tree.below(below):
        if path.endswith((".yaml", ".yml")):
            try:
                found = list(yaml.load_all(tree.read(path), Loader=yaml.CSafeLoader))
            except yaml.YAMLError:
                found = []
            for document in found:
                if isinstance(document, Mapping) and document.get("apiVersion") and document.get("kind"):
                    yield object_of(document)


def bootstrap(sandbox: Sandbox, tree: Tree) -> None:
    """What a person does on the empty cluster: Flux, keys, variables, source and root."""
    for manifest in base_manifests(FLUX):
        sandbox.cluster.apply(manifest, field_manager="kubectl")
    key = sandbox.age_key()
    sandbox.cluster.apply(key.secret("sops-age", "flux-system"), field_manager="kubectl")
    files = sandbox.disguise(key, {}).apply(tree)
    roots = list(documents(tree, below="kubernetes/flux/config"))
    git = next(object for object in roots if object.id.kind == "GitRepository")
    sandbox.world.repository(str(git.spec["url"])).commit(files.tree, str(git.spec["ref"]["branch"]), "base")
    root = next(object for object in roots if mapping(object.spec.get("sourceRef")).get("name") == git.id.name)
    settings = [object for object in documents(tree, below="kubernetes/flux/vars") if object.id.kind == "ConfigMap"]
    for manifest in (deploy_key(git), variables(tree), *(object.data for object in (*settings, git, root))):
        sandbox.cluster.apply(manifest, field_manager="kubectl")


def deploy_key(git: Object) -> Manifest:
    """The Secret that the source names; the sandbox's Git host lets everybody in."""
    metadata = {"name": str(git.spec["secretRef"]["name"]), "namespace": git.id.namespace}
    login = {"username": "x", "password": "y"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": login}


def variables(tree: Tree) -> Manifest:
    """The Secret of variables, with placeholders."""
    path = next(path for path in tree.below("kubernetes/flux/vars") if path.endswith(".sops.yaml"))
    content = yaml.safe_load(tree.read(path).decode().partition("\nsops:")[0])
    values = {name: str(placeholder(name, "str", {})) for name in content["stringData"]}
    encoded = {name: base64.b64encode(value.encode()).decode() for name, value in values.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": content["metadata"], "data": encoded}


@pytest.mark.skipif(not ARCHIVE.is_file(), reason="the corpus is not here")
def test_inventories_are_those_that_theory_predicts(obtain: Obtain, eventually: Eventually) -> None:
    tree = unpacked(ARCHIVE)
    there = {name: controller_version(FLUX, name) for name in CONTROLLERS}
    objects = [object for object in documents(tree, below="kubernetes") if object.id.kind not in NOT_APPLIED]

    with running_sandbox(obtain(*PROGRAMS), there=there) as sandbox:
        add_flux_manifests(sandbox.world.registry, FLUX)
        served = [(kind.group, kind.kind) for kind in sandbox.cluster.kinds()]
        kinds = [object for object in objects if not object.id.group.endswith("toolkit.fluxcd.io")]
        for stub in stub_kinds(kinds, served):
            sandbox.cluster.apply(stub_crd(stub), field_manager="kubectl")
        bootstrap(sandbox, tree)
        expected = {"cluster": 55, "cluster-apps": 92, "flux": 35}

        eventually(lambda: inventories(sandbox, expected) == expected, seconds=300, what="three inventories")


def inventories(sandbox: Sandbox, names: Mapping[str, int]) -> Mapping[str, int]:
    """How many objects each of the named Kustomizations has recorded."""
    counts = {}
    for name in names:
        manifest = sandbox.cluster.get(ObjectId(KUSTOMIZE_GROUP, "Kustomization", "flux-system", name)) or {}
        counts[name] = len(mapping(mapping(manifest.get("status")).get("inventory")).get("entries") or ())
    return counts
