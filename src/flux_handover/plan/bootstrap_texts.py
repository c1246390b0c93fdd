"""The commands of the new steps, in the order in which a bare cluster needs them (R22)."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from flux_handover.objects import KUSTOMIZE_GROUP, ObjectId
from flux_handover.plan.bootstrap_commands import text_of
from flux_handover.plan.bootstrap_steps import objects_at
from flux_handover.plan.bootstrap_writing import INSTANCE_CRD, Nearness
from flux_handover.plan.listings import listing_of
from flux_handover.plan.target import InstanceForm, Target
from flux_handover.tree import Tree

_PLURALS = {"GitRepository": "gitrepositories", "OCIRepository": "ocirepositories", "Bucket": "buckets"}
_MANIFESTS = (".yaml", ".yml", ".j2")


@dataclass(frozen=True, slots=True)
class Spelling:
    """How a runner names paths: `prefix`, a variable, stands for the directory `base`."""

    prefix: str
    base: str

    def __call__(self, path: str) -> str:
        """A path of the repository as the runner would name it."""
        if not self.prefix:
            return path
        return f"{self.prefix}/{posixpath.relpath(path, self.base or '.')}"


@dataclass(frozen=True, slots=True)
class Texts:
    """The commands, with a runner's spelling of paths and its flags for the cluster."""

    target: Target
    source: ObjectId
    spelled: Spelling
    flags: Mapping[str, str]

    def _kubectl(self, text: str) -> str:
        given = " ".join(f"--{name} {value}" for name, value in self.flags.items())
        return f"kubectl {given} {text}" if given else f"kubectl {text}"

    def _apply(self, what: str = "--filename -") -> str:
        return self._kubectl(f"apply --server-side {what}")

    def namespace(self) -> str:
        """The namespace of Flux, which the operator adopts."""
        made = f"kubectl create namespace {self.target.namespace} --dry-run=client --output yaml"
        return f"{made} | {self._apply()}"

    def install(self, helmfile: str) -> list[str]:
        """The operator and Flux, and the wait for both."""
        target = self.target
        flags = {"kubeconfig": "--kubeconfig", "context": "--kube-context"}
        given = "".join(f"{flags[name]} {value} " for name, value in self.flags.items())
        sync = f"helmfile {given}--file {self.spelled(helmfile)} sync --hide-notes"
        plain = [
            self._kubectl(f"wait --for=condition=Established crd/{INSTANCE_CRD} --timeout=2m"),
            self._apply(f"--filename {self.spelled(target.layout.instance.manifest)}"),
        ]
        manifest = plain if target.form is InstanceForm.MANIFEST else []
        return [sync, *manifest, *self._waits()]

    def _waits(self) -> Iterator[str]:
        target, name = self.target, self.target.instance_id.name
        yield self._kubectl(
            f"--namespace {target.namespace} wait --for=condition=Ready fluxinstance/{name} --timeout=10m"
        )
        plural = _PLURALS.get(self.source.kind, "gitrepositories")
        crds = f"crd/kustomizations.{KUSTOMIZE_GROUP} crd/{plural}.{self.source.group}"
        yield self._kubectl(f"wait --for=condition=Established {crds} --timeout=2m")

    def from_git(self, id: ObjectId, path: str, tree: Tree) -> str:
        """The command that creates a Secret or ConfigMap from its file."""
        if is_encrypted(path, tree):
            return f"sops --decrypt {self.spelled(path)} | {self._apply()}"
        return self._apply(f"--filename {self.spelled(path)}")

    def by_hand(self, id: ObjectId) -> str:
        """The command that creates a Secret or ConfigMap from what only people have."""
        if id.kind == "ConfigMap":
            return self._kubectl(f'--namespace {id.namespace} create configmap {id.name} --from-env-file="$VARIABLES"')
        make = f"--namespace {id.namespace} create secret generic {id.name}"
        if is_age_key(id):
            return self._kubectl(f'{make} --from-file=age.agekey="$SOPS_AGE_KEY_FILE"')
        return self._kubectl(f'{make} --from-file="$DIRECTORY_WITH_ITS_KEYS"')

    def root(self, ids: tuple[ObjectId, ...], near: Nearness, tree: Tree) -> list[str]:
        """The root and its source, from the directory that lists them or from their files."""
        whole = _directory_with(ids, near, tree)
        if whole is not None:
            return [self._apply(f"--kustomize {self.spelled(whole)}")]
        files = dict.fromkeys(path for id in ids if (path := file_with(id, near, tree)) is not None)
        return [self._apply(" ".join(f"--filename {self.spelled(path)}" for path in files))] if files else []


def is_age_key(id: ObjectId) -> bool:
    """Whether a Secret is likely SOPS's key: people name it so, and it can be nothing that Git holds."""
    return "age" in id.name or "sops" in id.name


def file_with(id: ObjectId, near: Nearness, tree: Tree) -> str | None:
    """The file of this cluster that describes an object: one that Flux reads, else the shortest path."""
    name = id.name.encode()
    candidates = (
        path
        for path in sorted(tree, key=lambda path: (path not in near.read, path.count("/"), path))
        if path.endswith(_MANIFESTS) and name in (tree.files[path].content or b"") and not near.is_foreign(path)
    )
    return next((path for path in candidates if id in objects_at(path, tree, id.namespace)), None)


def _directory_with(ids: tuple[ObjectId, ...], near: Nearness, tree: Tree) -> str | None:
    """The directory whose kustomization.yaml lists the objects and nothing but Flux's kinds."""
    first = file_with(ids[-1], near, tree)
    directory = posixpath.dirname(first) if first else ""
    if listing_of(directory, tree) is None:
        return None
    found = objects_at(directory, tree, ids[-1].namespace)
    return directory if set(ids) <= found and all(id.group.endswith("fluxcd.io") for id in found) else None


def is_encrypted(path: str, tree: Tree) -> bool:
    """Whether SOPS must decrypt a file before it is applied."""
    text = text_of(tree, path)
    return "ENC[" in text and "sops:" in text
