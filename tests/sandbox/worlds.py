"""Small worlds: a repository in a few revisions each, in which the order of controllers or one field decides.

Each world lies in namespaces of its own and applies itself: `root` builds `flux/`, which holds its source
and the other Kustomizations. Their directories are named after them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from builders import text_of

from flux_handover.objects import KUSTOMIZE_GROUP, PRUNE, RECONCILE, SOURCE_GROUP, SSA, ObjectId
from flux_handover.tree import File, Tree, blob_digest

Manifest = Mapping[str, Any]
Revision = Mapping[str, tuple[Manifest, ...]]
Parts = dict[str, tuple[Manifest, ...]]
Scene = Callable[["Writer"], tuple[Parts, ...]]
DOMAIN = "example.org"
PREFIX, WITHIN = "world-", "--of--"
OF_THE_CLUSTER = frozenset({"kube-root-ca.crt", "default"})


@dataclass(frozen=True, slots=True)
class World:
    """A series of revisions; the first is taken as reconciled."""

    name: str
    trees: tuple[Tree, ...]
    scene: Scene = field(compare=False, repr=False)

    def again(self, suffix: str) -> World:
        """The same world once more, in namespaces of its own."""
        return world(f"{self.name}-{suffix}", self.scene)

    @property
    def namespace(self) -> str:
        """Where its Kustomizations and most of its objects are."""
        return PREFIX + self.name

    @property
    def url(self) -> str:
        """The address of its repository."""
        return f"https://git.example.org/worlds/{self.name}"


def belongs(id: ObjectId, namespace: str) -> bool:
    """Whether an object is part of the world of this namespace: in it, or in a namespace or group of that world."""
    place = id.namespace or id.name
    mine = place == namespace or place.endswith((f"{WITHIN}{namespace}", f".{namespace}.{DOMAIN}"))
    return mine and id.name not in OF_THE_CLUSTER


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes the manifests of one world."""

    namespace: str
    url: str

    def ks(self, name: str, *, path: Any = "", **spec: Any) -> Manifest:
        """A Kustomization of the world's own source; it builds the directory of its name."""
        content = {"interval": "1h", "prune": True, "path": f"./{path or name}", **spec}
        source = {"sourceRef": {"kind": "GitRepository", "name": "main"}, "timeout": "20s"}
        return self._of(f"{KUSTOMIZE_GROUP}/v1", "Kustomization", name, spec={**source, **content})

    def config(self, name: str, *, namespace: str = "", **content: str) -> Manifest:
        """A ConfigMap."""
        return self._of("v1", "ConfigMap", name, namespace, data={"text": name, **content})

    def secret(self, name: str, **content: str) -> Manifest:
        """A Secret."""
        return self._of("v1", "Secret", name, stringData=content)

    def space(self, name: str) -> Manifest:
        """A Namespace of the world."""
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.within(name)}}

    def within(self, space: str) -> str:
        """The full name of a Namespace of the world."""
        return f"{space}{WITHIN}{self.namespace}"

    def root(self) -> tuple[Manifest, ...]:
        """The source, and the Kustomization that applies both itself and the source."""
        source = {"interval": "1h", "url": self.url, "ref": {"branch": "main"}}
        metadata = {"name": "main", "namespace": self.namespace}
        git = {"apiVersion": f"{SOURCE_GROUP}/v1", "kind": "GitRepository", "metadata": metadata, "spec": source}
        return git, self.ks("root", path="flux")

    def _of(self, version: str, kind: str, name: str, namespace: str = "", **content: Any) -> Manifest:
        metadata = {"name": name, "namespace": namespace or self.namespace}
        return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}


def marked(manifest: Manifest, *, labels: Any = None, **annotations: str) -> Manifest:
    """A manifest with annotations, given by the constant that names them, or labels."""
    keys = {"prune": PRUNE, "reconcile": RECONCILE, "ssa": SSA}
    notes = {keys[name]: value for name, value in annotations.items()}
    metadata = {**manifest["metadata"], "annotations": notes, "labels": labels or {}}
    return {**manifest, "metadata": metadata}


def tree_of(writer: Writer, parts: Parts) -> Tree:
    """The tree of one revision: the root's directory, and one for each further part.

    A part that holds only a `text` is a file of its own.
    """
    whole = {"flux": (), **parts}
    texts = {f"{name}/all.yaml": text_of(part) for name, part in whole.items()}
    root = text_of(writer.root())
    raw = {name: str(part[0]["text"]) for name, part in parts.items() if is_text(part)}
    files = {
        "flux/root.yaml": root,
        **{p: t for p, t in texts.items() if p.removesuffix("/all.yaml") not in raw},
        **raw,
    }
    return Tree(MappingProxyType({path: file(text) for path, text in files.items()}))


def is_text(part: tuple[Manifest, ...]) -> bool:
    """Whether a part is a file of its own."""
    return any("text" in manifest for manifest in part)


def file(text: str) -> File:
    """A file of this text."""
    return File(text.encode(), blob_digest(text.encode()))


def world(name: str, scene: Scene) -> World:
    """The world of a scene."""
    empty = World(name, (), scene)
    writer = Writer(empty.namespace, empty.url)
    return World(name, tuple(tree_of(writer, parts) for parts in scene(writer)), scene)


def text(content: str) -> tuple[Manifest, ...]:
    """The content of a part that is a file of its own."""
    return ({"text": content},)


SCENES: dict[str, Scene] = {}


def scene(name: str) -> Callable[[Scene], Scene]:
    """Adds a scene to the table."""

    def added(function: Scene) -> Scene:
        SCENES[name] = function
        return function

    return added


def cascade(**spec: Any) -> Scene:
    """A Kustomization with one object leaves its parent; `spec` is what it is like before."""
    return lambda w: ({"flux": (w.ks("apps", **spec),), "apps": (w.config("a"),)}, {"apps": (w.config("a"),)})


def disarmed(**spec: Any) -> Scene:
    """The same, with the spec set one revision before."""
    return lambda w: (
        {"flux": (w.ks("apps"),), "apps": (w.config("a"),)},
        {"flux": (w.ks("apps", **spec),), "apps": (w.config("a"),)},
        {"apps": (w.config("a"),)},
    )


def leaving(**annotations: str) -> Scene:
    """An object with annotations leaves its Kustomization."""
    return lambda w: (
        {"flux": (w.ks("apps"),), "apps": (w.config("stays"), marked(w.config("a"), **annotations))},
        {"flux": (w.ks("apps"),), "apps": (w.config("stays"),)},
    )


def marked_then_leaving(**annotations: str) -> Scene:
    """An object gets annotations in Git, and leaves one commit later; its controller may never write them."""
    return lambda w: (
        {"flux": (w.ks("apps"),), "apps": (w.config("stays"), w.config("a"))},
        {"flux": (w.ks("apps"),), "apps": (w.config("stays"), marked(w.config("a"), **annotations))},
        {"flux": (w.ks("apps"),), "apps": (w.config("stays"),)},
    )


def leaving_labelled(key: str, value: str) -> Scene:
    """An object with a label leaves its Kustomization."""
    return lambda w: (
        {"flux": (w.ks("apps"),), "apps": (w.config("stays"), marked(w.config("a"), labels={key: value}))},
        {"flux": (w.ks("apps"),), "apps": (w.config("stays"),)},
    )


SCENES |= {
    "cascade": cascade(),
    "cascade-orphan": cascade(deletionPolicy="Orphan"),
    "cascade-delete-unpruned": cascade(prune=False, deletionPolicy="Delete"),
    "cascade-wait-unpruned": cascade(prune=False, deletionPolicy="WaitForTermination"),
    "cascade-unpruned": cascade(prune=False),
    "cascade-suspended": disarmed(suspend=True),
    "unpruned-then-removed": disarmed(prune=False),
    "orphan-then-removed": disarmed(deletionPolicy="Orphan"),
    "leaving": leaving(),
    "leaving-prune-disabled": leaving(prune="disabled"),
    "leaving-prune-capital": leaving(prune="Disabled"),
    "leaving-prune-false": leaving(prune="false"),
    "marked-reconcile-disabled": marked_then_leaving(reconcile="disabled"),
    "marked-ssa-ignore": marked_then_leaving(ssa="Ignore"),
    "marked-ssa-if-not-present": marked_then_leaving(ssa="IfNotPresent"),
    "marked-prune-disabled": marked_then_leaving(prune="disabled"),
    "leaving-ssa-if-not-present": leaving(ssa="IfNotPresent"),
    "leaving-ssa-merge": leaving(ssa="Merge"),
    "leaving-prune-label": leaving_labelled(PRUNE, "disabled"),
}


@scene("moved")
def moved(w: Writer) -> tuple[Parts, ...]:
    """An object moves from one Kustomization to another in one commit: a race."""
    both = (w.ks("one"), w.ks("two"))
    return (
        {"flux": both, "one": (w.config("a"), w.config("b")), "two": (w.config("c"),)},
        {"flux": both, "one": (w.config("b"),), "two": (w.config("c"), w.config("a"))},
    )


@scene("moved-in-two-commits")
def moved_in_two_commits(w: Writer) -> tuple[Parts, ...]:
    """The new owner gets the object first, then the old one gives it up."""
    both = (w.ks("one"), w.ks("two"))
    return (
        {"flux": both, "one": (marked(w.config("a"), prune="disabled"), w.config("b")), "two": (w.config("c"),)},
        {"flux": both, "one": (w.config("b"),), "two": (w.config("c"),)},
        {"flux": both, "one": (w.config("b"),), "two": (w.config("c"), w.config("a"))},
    )


@scene("renamed")
def renamed(w: Writer) -> tuple[Parts, ...]:
    """A Kustomization gets another name: the old one's finalizer against the new one's apply."""
    return (
        {"flux": (w.ks("old", path="apps"),), "apps": (w.config("a"),)},
        {"flux": (w.ks("new", path="apps"),), "apps": (w.config("a"),)},
    )


@scene("renamed-unpruned")
def renamed_unpruned(w: Writer) -> tuple[Parts, ...]:
    """The same with prune turned off one commit before."""
    return (
        {"flux": (w.ks("old", path="apps"),), "apps": (w.config("a"),)},
        {"flux": (w.ks("old", path="apps", prune=False),), "apps": (w.config("a"),)},
        {"flux": (w.ks("new", path="apps"),), "apps": (w.config("a"),)},
    )


@scene("unpruned-with-removal")
def unpruned_with_removal(w: Writer) -> tuple[Parts, ...]:
    """Prune is turned off in the commit that takes the object out: the child may still run the old spec."""
    return (
        {"flux": (w.ks("apps"),), "apps": (w.config("a"), w.config("b"))},
        {"flux": (w.ks("apps", prune=False),), "apps": (w.config("b"),)},
    )


@scene("pruned-again")
def pruned_again(w: Writer) -> tuple[Parts, ...]:
    """What left while prune was off stays for ever."""
    return (
        {"flux": (w.ks("apps", prune=False),), "apps": (w.config("a"), w.config("b"))},
        {"flux": (w.ks("apps", prune=False),), "apps": (w.config("b"),)},
        {"flux": (w.ks("apps"),), "apps": (w.config("b"),)},
    )


@scene("namespace-taken")
def namespace_taken(w: Writer) -> tuple[Parts, ...]:
    """A Namespace leaves one Kustomization and takes along what another applies into it."""
    inside = w.config("a", namespace=w.within("shop"))
    return (
        {"flux": (w.ks("spaces"), w.ks("apps")), "spaces": (w.space("shop"), w.config("x")), "apps": (inside,)},
        {"flux": (w.ks("spaces"),), "spaces": (w.space("shop"), w.config("x")), "apps": (inside,)},
        {"flux": (w.ks("spaces"),), "spaces": (w.config("x"),)},
    )


@scene("namespace-lost-with-content")
def namespace_lost_with_content(w: Writer) -> tuple[Parts, ...]:
    """A Namespace leaves with all that is in it, which another Kustomization does not own any more."""
    inside = w.config("a", namespace=w.within("shop"))
    return (
        {"flux": (w.ks("spaces"), w.ks("apps", prune=False)), "spaces": (w.space("shop"),), "apps": (inside,)},
        {"flux": (w.ks("spaces"),), "spaces": (w.space("shop"),), "apps": (inside,)},
        {"spaces": (w.space("shop"),)},
    )


@scene("namespace-kept")
def namespace_kept(w: Writer) -> tuple[Parts, ...]:
    """A Namespace that opts out of pruning stays, with its content."""
    inside = w.config("a", namespace=w.within("shop"))
    space = marked(w.space("shop"), prune="disabled")
    return (
        {"flux": (w.ks("spaces"), w.ks("apps", prune=False)), "spaces": (space, w.config("x")), "apps": (inside,)},
        {"flux": (w.ks("spaces"),), "spaces": (w.config("x"),), "apps": (inside,)},
    )


@scene("build-fails")
def build_fails(w: Writer) -> tuple[Parts, ...]:
    """A build that fails changes nothing; the next one is compared with the last that worked."""
    listed = "resources: [all.yaml]"
    broken = "resources: [all.yaml, missing.yaml]"
    apps = (w.ks("apps"),)
    return (
        {"flux": apps, "apps": (w.config("a"), w.config("b")), "apps/kustomization.yaml": text(listed)},
        {"flux": apps, "apps": (w.config("b"),), "apps/kustomization.yaml": text(broken)},
        {"flux": apps, "apps": (w.config("b"),), "apps/kustomization.yaml": text(listed)},
    )


@scene("path-gone")
def path_gone(w: Writer) -> tuple[Parts, ...]:
    """The directory of a Kustomization leaves: nothing is pruned."""
    return (
        {"flux": (w.ks("apps"),), "apps": (w.config("a"),)},
        {"flux": (w.ks("apps"),)},
    )


@scene("empty-build")
def empty_build(w: Writer) -> tuple[Parts, ...]:
    """A directory without resources builds, and everything is pruned."""
    return (
        {"flux": (w.ks("apps"),), "apps": (w.config("a"), w.config("b"))},
        {"flux": (w.ks("apps"),), "apps/kustomization.yaml": text("resources: []")},
    )


@scene("parent-fails")
def parent_fails(w: Writer) -> tuple[Parts, ...]:
    """The children of a frozen parent go on with their old spec."""
    return (
        {"flux": (w.ks("apps"),), "apps": (w.config("a"), w.config("b"))},
        {"flux": (w.ks("apps", prune=False), w.config("x"), w.config("x")), "apps": (w.config("b"),)},
        {"flux": (w.ks("apps", prune=False), w.config("x")), "apps": ()},
    )


@scene("apply-fails")
def apply_fails(w: Writer) -> tuple[Parts, ...]:
    """An object without a namespace fails the apply: earlier stages are done, nothing is pruned."""
    lost = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "lost"}, "data": {"a": "b"}}
    return (
        {"flux": (w.ks("apps"),), "apps": (w.config("a"), w.config("b"))},
        {"flux": (w.ks("apps"),), "apps": (w.space("new"), w.config("b"), lost)},
        {"flux": (w.ks("apps"),), "apps": (w.space("new"), w.config("b"))},
    )


@scene("variables-from-itself")
def variables_from_itself(w: Writer) -> tuple[Parts, ...]:
    """A Kustomization reads variables that another one prunes: it is frozen from then on."""
    reads: dict[str, Any] = {"postBuild": {"substituteFrom": [{"kind": "ConfigMap", "name": "settings"}]}}
    both = (w.ks("config"), w.ks("apps", **reads))
    return (
        {"flux": both, "config": (w.config("settings", colour="red"), w.config("x")), "apps": (w.config("a"),)},
        {"flux": both, "config": (w.config("x"),), "apps": (w.config("a"),)},
        {"flux": both, "config": (w.config("x"),), "apps": (w.config("b"),)},
    )


@scene("optional-variables")
def optional_variables(w: Writer) -> tuple[Parts, ...]:
    """Optional variables may go."""
    settings = {"kind": "ConfigMap", "name": "settings", "optional": True}
    reads: dict[str, Any] = {"postBuild": {"substituteFrom": [settings]}}
    both = (w.ks("config"), w.ks("apps", **reads))
    return (
        {"flux": both, "config": (w.config("settings"), w.config("x")), "apps": (w.config("a"),)},
        {"flux": both, "config": (w.config("x"),), "apps": (w.config("b"),)},
    )


@scene("depends-on-frozen")
def depends_on_frozen(w: Writer) -> tuple[Parts, ...]:
    """A dependent waits for what does not build, and prunes nothing meanwhile."""
    both = (w.ks("first"), w.ks("late", dependsOn=[{"name": "first"}]))
    return (
        {"flux": both, "first": (w.config("a"),), "late": (w.config("b"), w.config("c"))},
        {"flux": both, "first": (w.config("a"), w.config("a")), "late": (w.config("c"),)},
        {"flux": both, "first": (w.config("a"),), "late": (w.config("c"),)},
    )


@scene("nested-cascade")
def nested_cascade(w: Writer) -> tuple[Parts, ...]:
    """A Kustomization of Kustomizations goes: all below it goes."""
    return (
        {"flux": (w.ks("top"),), "top": (w.ks("below"),), "below": (w.config("a"),)},
        {"top": (w.ks("below"),), "below": (w.config("a"),)},
    )


@scene("nested-cascade-stopped")
def nested_cascade_stopped(w: Writer) -> tuple[Parts, ...]:
    """The same where the one below does not prune: its objects stay."""
    below = w.ks("below", prune=False)
    return (
        {"flux": (w.ks("top"),), "top": (below,), "below": (w.config("a"),)},
        {"top": (below,), "below": (w.config("a"),)},
    )


@scene("nested-opt-out")
def nested_opt_out(w: Writer) -> tuple[Parts, ...]:
    """The same where the one below opts out of pruning: it stays, and goes on working."""
    below = marked(w.ks("below"), prune="disabled")
    return (
        {"flux": (w.ks("top"),), "top": (below,), "below": (w.config("a"),)},
        {"top": (below,), "below": (w.config("a"), w.config("b"))},
    )


@scene("suspended-then-removed")
def suspended_then_removed(w: Writer) -> tuple[Parts, ...]:
    """A suspended Kustomization goes without its objects, whatever left its directory."""
    return (
        {"flux": (w.ks("apps"),), "apps": (w.config("a"), w.config("b"))},
        {"flux": (w.ks("apps", suspend=True),), "apps": (w.config("a"), w.config("b"))},
        {"flux": (w.ks("apps", suspend=True),), "apps": (w.config("b"),)},
        {"apps": (w.config("b"),)},
    )


@scene("source-gone")
def source_gone(w: Writer) -> tuple[Parts, ...]:
    """Without its source a Kustomization stands still and deletes nothing."""
    git = {
        "apiVersion": f"{SOURCE_GROUP}/v1",
        "kind": "GitRepository",
        "metadata": {"name": "other", "namespace": w.namespace},
        "spec": {"interval": "1h", "url": w.url, "ref": {"branch": "main"}},
    }
    apps = w.ks("apps", sourceRef={"kind": "GitRepository", "name": "other"})
    return (
        {"flux": (git, apps), "apps": (w.config("a"),)},
        {"flux": (apps,), "apps": (w.config("b"),)},
    )


@scene("opt-out-of-one-of-two")
def opt_out_of_one_of_two(w: Writer) -> tuple[Parts, ...]:
    """The opt-out goes live before the object leaves; the commit after it may take the file."""
    return (
        {"flux": (w.ks("apps"),), "apps": (w.config("a"), w.config("b"))},
        {"flux": (w.ks("apps"),), "apps": (marked(w.config("a"), prune="disabled"), w.config("b"))},
        {"flux": (w.ks("apps"),), "apps": (w.config("b"),)},
    )


@scene("opt-out-with-removal-of-owner")
def opt_out_with_removal_of_owner(w: Writer) -> tuple[Parts, ...]:
    """The opt-out stands on the object while its owner goes."""
    kept = marked(w.config("a"), prune="disabled")
    return (
        {"flux": (w.ks("apps"),), "apps": (kept, w.config("b"))},
        {"apps": (kept, w.config("b"))},
    )


@scene("group-of-a-kind-changes")
def group_of_a_kind_changes(w: Writer) -> tuple[Parts, ...]:
    """One object leaves while another of the same name and another kind comes."""
    return (
        {"flux": (w.ks("apps"),), "apps": (w.config("a"), w.config("b"))},
        {"flux": (w.ks("apps"),), "apps": (w.secret("a", key="value"), w.config("b"))},
    )


@scene("two-roots")
def two_roots(w: Writer) -> tuple[Parts, ...]:
    """A second Kustomization takes everything over under an opt-out, then the first one goes."""
    kept = marked(w.config("a"), prune="disabled")
    return (
        {"flux": (w.ks("one", path="apps"),), "apps": (w.config("a"),)},
        {"flux": (w.ks("one", path="apps"),), "apps": (kept,)},
        {"flux": (w.ks("two", path="apps"),), "apps": (kept,)},
    )
