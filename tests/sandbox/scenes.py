"""More small worlds: who owns what, what a field of Flux changes, and what fails."""

from __future__ import annotations

from typing import Any

from sandbox.worlds import DOMAIN, Manifest, Parts, Scene, Writer, marked, scene, text

from flux_handover.objects import KUSTOMIZE_GROUP, PRUNE, SOURCE_GROUP

GIT = "GitRepository"


def one_then(before: dict[str, Any], after: dict[str, Any]) -> Scene:
    """The spec of a Kustomization changes; the two objects that it builds stay."""
    return lambda w: (
        {"flux": (w.ks("apps", **before),), "apps": (w.config("a"), w.config("b"))},
        {"flux": (w.ks("apps", **after),), "apps": (w.config("a"), w.config("b"))},
    )


def armed(spec: dict[str, Any]) -> Scene:
    """A field is set in one revision, and an object leaves in the next."""
    return lambda w: (
        {"flux": (w.ks("apps"),), "apps": (w.config("a"), w.config("b"))},
        {"flux": (w.ks("apps", **spec),), "apps": (w.config("a"), w.config("b"))},
        {"flux": (w.ks("apps", **spec),), "apps": (w.config("b"),)},
    )


def patch(content: str) -> dict[str, Any]:
    """A patch of every ConfigMap, as `spec.patches` has it."""
    head = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: any\n"
    return {"patches": [{"target": {"kind": "ConfigMap"}, "patch": head + content}]}


NOTE = {"annotations": {PRUNE: "disabled"}}

for name, made in {
    "prefix-set": one_then({}, {"namePrefix": "new-"}),
    "suffix-removed": one_then({"nameSuffix": "-old"}, {}),
    "interval-changed": one_then({"interval": "1h"}, {"interval": "2h"}),
    "force-set": one_then({}, {"force": True}),
    "opt-out-by-common-metadata": armed({"commonMetadata": NOTE}),
    "opt-out-label-by-common-metadata": armed({"commonMetadata": {"labels": {PRUNE: "Disabled"}}}),
    "opt-out-by-patch": armed(patch(f"  annotations:\n    {PRUNE}: disabled\n")),
    "policy-is-not-about-pruning": armed({"deletionPolicy": "Orphan"}),
    "unpruned-with-policy-delete": armed({"prune": False, "deletionPolicy": "Delete"}),
    "account-missing": armed({"serviceAccountName": "nobody"}),
}.items():
    scene(name)(made)


@scene("target-namespace-set")
def target_namespace_set(w: Writer) -> tuple[Parts, ...]:
    """Everything gets another namespace: new objects come, then the old ones go."""
    spaces = w.ks("spaces")
    parts: Parts = {"spaces": (w.space("shop"),), "apps": (w.config("a"), w.config("b"))}
    return (
        {"flux": (spaces, w.ks("apps")), **parts},
        {"flux": (spaces, w.ks("apps", targetNamespace=w.within("shop"))), **parts},
    )


@scene("account-missing-then-removed")
def account_missing_then_removed(w: Writer) -> tuple[Parts, ...]:
    """A Kustomization whose account does not exist goes, and deletes nothing."""
    content = (w.config("a"),)
    return (
        {"flux": (w.ks("apps"),), "apps": content},
        {"flux": (w.ks("apps", serviceAccountName="nobody"),), "apps": content},
        {"apps": content},
    )


@scene("two-owners-one-leaves")
def two_owners_one_leaves(w: Writer) -> tuple[Parts, ...]:
    """Two Kustomizations apply the same object, then one gives it up: whose labels it has decides."""
    both = (w.ks("one"), w.ks("two"))
    return (
        {"flux": both, "one": (w.config("a"), w.config("b")), "two": (w.config("c"),)},
        {"flux": both, "one": (w.config("a"), w.config("b")), "two": (w.config("c"), w.config("a"))},
        {"flux": both, "one": (w.config("b"),), "two": (w.config("c"), w.config("a"))},
    )


@scene("two-owners-one-opts-out")
def two_owners_one_opts_out(w: Writer) -> tuple[Parts, ...]:
    """The opt-out stands in the build of one of two owners only: the other takes it off again."""
    both = (w.ks("one"), w.ks("two"))
    kept = marked(w.config("a"), prune="disabled")
    return (
        {"flux": both, "one": (w.config("a"), w.config("b")), "two": (w.config("c"),)},
        {"flux": both, "one": (kept, w.config("b")), "two": (w.config("c"), w.config("a"))},
        {"flux": both, "one": (w.config("b"),), "two": (w.config("c"),)},
    )


@scene("two-owners-both-leave")
def two_owners_both_leave(w: Writer) -> tuple[Parts, ...]:
    """Both owners give the object up in one commit: it goes, whoever has it."""
    both = (w.ks("one"), w.ks("two"))
    shared = w.config("a")
    return (
        {"flux": both, "one": (shared, w.config("b")), "two": (w.config("c"),)},
        {"flux": both, "one": (shared, w.config("b")), "two": (shared, w.config("c"))},
        {"flux": both, "one": (w.config("b"),), "two": (w.config("c"),)},
    )


@scene("namespace-in-two-inventories")
def namespace_in_two_inventories(w: Writer) -> tuple[Parts, ...]:
    """A Namespace that two Kustomizations apply leaves one of them."""
    both = (w.ks("one"), w.ks("two"))
    inside = w.config("a", namespace=w.within("shop"))
    return (
        {"flux": both, "one": (w.space("shop"), w.config("b")), "two": (w.config("c"),)},
        {"flux": both, "one": (w.space("shop"), w.config("b")), "two": (w.space("shop"), inside)},
        {"flux": both, "one": (w.config("b"),), "two": (w.space("shop"), inside)},
    )


@scene("moved-against-the-order")
def moved_against_the_order(w: Writer) -> tuple[Parts, ...]:
    """The new owner waits for the old one: the object is always made anew."""
    both = (w.ks("one"), w.ks("two", dependsOn=[{"name": "one"}]))
    return (
        {"flux": both, "one": (w.config("a"), w.config("b")), "two": (w.config("c"),)},
        {"flux": both, "one": (w.config("b"),), "two": (w.config("c"), w.config("a"))},
    )


@scene("moved-with-the-order")
def moved_with_the_order(w: Writer) -> tuple[Parts, ...]:
    """The old owner waits for the new one: the object is handed over."""
    both = (w.ks("one", dependsOn=[{"name": "two"}]), w.ks("two"))
    return (
        {"flux": both, "one": (w.config("a"), w.config("b")), "two": (w.config("c"),)},
        {"flux": both, "one": (w.config("b"),), "two": (w.config("c"), w.config("a"))},
    )


@scene("moved-by-two-commits-of-adoption")
def moved_by_adoption(w: Writer) -> tuple[Parts, ...]:
    """The new owner applies the object while the old one still does not prune, then the old one goes."""
    a = w.config("a")
    return (
        {"flux": (w.ks("old"),), "old": (a,)},
        {"flux": (w.ks("old", prune=False),), "old": (a,)},
        {"flux": (w.ks("old", prune=False), w.ks("new")), "old": (), "new": (a,)},
        {"flux": (w.ks("new"),), "new": (a,)},
    )


@scene("split")
def split(w: Writer) -> tuple[Parts, ...]:
    """One Kustomization becomes two in one commit, under opt-outs of one commit before."""
    kept = tuple(marked(w.config(name), prune="disabled") for name in ("a", "b"))
    return (
        {"flux": (w.ks("all"),), "all": (w.config("a"), w.config("b"))},
        {"flux": (w.ks("all"),), "all": kept},
        {"flux": (w.ks("one"), w.ks("two")), "one": kept[:1], "two": kept[1:]},
    )


@scene("path-changed")
def path_changed(w: Writer) -> tuple[Parts, ...]:
    """A Kustomization builds another directory with the same objects: nothing happens to them."""
    content = (w.config("a"), w.config("b"))
    return (
        {"flux": (w.ks("apps", path="here"),), "here": content},
        {"flux": (w.ks("apps", path="there"),), "there": content},
    )


@scene("path-changed-to-fewer")
def path_changed_to_fewer(w: Writer) -> tuple[Parts, ...]:
    """A Kustomization builds another directory, which lacks an object; both directories stay."""
    directories = {"here": (w.config("a"), w.config("b")), "there": (w.config("b"),)}
    return (
        {"flux": (w.ks("apps", path="here"),), **directories},
        {"flux": (w.ks("apps", path="there"),), **directories},
    )


def repository(w: Writer, name: str, **spec: Any) -> Manifest:
    """Another source of the same repository."""
    metadata = {"name": name, "namespace": w.namespace}
    content = {"interval": "1h", "url": w.url, "ref": {"branch": "main"}, **spec}
    return {"apiVersion": f"{SOURCE_GROUP}/v1", "kind": GIT, "metadata": metadata, "spec": content}


def from_source(name: str) -> dict[str, Any]:
    """The fields of a Kustomization that builds from another source."""
    return {"sourceRef": {"kind": GIT, "name": name}}


@scene("source-replaced")
def source_replaced(w: Writer) -> tuple[Parts, ...]:
    """A Kustomization gets another source of the same files, and the old one goes."""
    content = (w.config("a"),)
    return (
        {"flux": (repository(w, "old"), w.ks("apps", **from_source("old"))), "apps": content},
        {"flux": (repository(w, "new"), w.ks("apps", **from_source("new"))), "apps": content},
    )


@scene("source-ignores")
def source_ignores(w: Writer) -> tuple[Parts, ...]:
    """A source that no longer packs a directory: the Kustomization stands still."""
    content = (w.config("a"),)
    reads = w.ks("apps", **from_source("other"))
    return (
        {"flux": (repository(w, "other"), reads), "apps": content},
        {"flux": (repository(w, "other", ignore="/apps"), reads), "apps": content},
    )


@scene("file-ignored")
def file_ignored(w: Writer) -> tuple[Parts, ...]:
    """A `.sourceignore` takes a file out of the artifact: what is in it is pruned, though it is still in Git."""
    more = text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more, namespace: " + w.namespace + "}\n")
    parts: Parts = {"flux": (w.ks("apps"),), "apps": (w.config("a"),), "apps/more.yaml": more}
    return (parts, {**parts, "apps/.sourceignore": text("more.yaml\n")})


@scene("source-suspended")
def source_suspended(w: Writer) -> tuple[Parts, ...]:
    """A suspended source brings nothing new; its Kustomization goes on with what it has."""
    reads = w.ks("apps", **from_source("other"))
    both = (w.config("a"), w.config("b"))
    return (
        {"flux": (repository(w, "other"), reads), "apps": both},
        {"flux": (repository(w, "other", suspend=True), reads), "apps": both},
        {"flux": (repository(w, "other", suspend=True), reads), "apps": both[1:]},
    )


def kind(w: Writer) -> Manifest:
    """A kind of the world's own."""
    group = f"{w.namespace}.{DOMAIN}"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    names = {"kind": "Toy", "plural": "toys", "singular": "toy", "listKind": "ToyList"}
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [version]}
    metadata = {"name": f"toys.{group}"}
    head = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    return {**head, "metadata": metadata, "spec": spec}


def toy(w: Writer, name: str) -> Manifest:
    """An object of that kind."""
    metadata = {"name": name, "namespace": w.namespace}
    return {"apiVersion": f"{w.namespace}.{DOMAIN}/v1", "kind": "Toy", "metadata": metadata, "spec": {}}


@scene("definition-takes-along")
def definition_takes_along(w: Writer) -> tuple[Parts, ...]:
    """A CustomResourceDefinition leaves one Kustomization and takes along what another applied."""
    return (
        {
            "flux": (w.ks("kinds"), w.ks("toys", prune=False)),
            "kinds": (kind(w), w.config("x")),
            "toys": (toy(w, "t"),),
        },
        {"flux": (w.ks("kinds"),), "kinds": (kind(w), w.config("x")), "toys": (toy(w, "t"),)},
        {"flux": (w.ks("kinds"),), "kinds": (w.config("x"),), "toys": (toy(w, "t"),)},
    )


@scene("definition-kept")
def definition_kept(w: Writer) -> tuple[Parts, ...]:
    """One that opts out stays, with its objects."""
    kept = marked(kind(w), prune="disabled")
    return (
        {"flux": (w.ks("apps"),), "apps": (kept, toy(w, "t"), w.config("x"))},
        {"flux": (w.ks("apps"),), "apps": (toy(w, "t"), w.config("x"))},
    )


@scene("definition-and-objects-leave")
def definition_and_objects_leave(w: Writer) -> tuple[Parts, ...]:
    """Both leave together, objects first."""
    return (
        {"flux": (w.ks("apps"),), "apps": (kind(w), toy(w, "t"), w.config("x"))},
        {"flux": (w.ks("apps"),), "apps": (w.config("x"),)},
    )


@scene("definition-comes-later")
def definition_comes_later(w: Writer) -> tuple[Parts, ...]:
    """An object of a kind that nobody serves yet fails the apply and nothing is pruned, until the kind comes."""
    parts: Parts = {"apps": (toy(w, "t"), w.config("b"))}
    return (
        {"flux": (w.ks("apps"),), "apps": (w.config("a"), w.config("b"))},
        {"flux": (w.ks("apps"),), **parts},
        {"flux": (w.ks("apps"), w.ks("kinds")), **parts, "kinds": (kind(w),)},
    )


@scene("undefined-variable")
def undefined_variable(w: Writer) -> tuple[Parts, ...]:
    """An undefined variable fails the build of Flux 2.9: nothing is pruned."""
    variables: dict[str, Any] = {"postBuild": {"substitute": {"colour": "red"}}}
    apps = w.ks("apps", **variables)
    return (
        {"flux": (apps,), "apps": (w.config("a", colour="${colour}"), w.config("b"))},
        {"flux": (apps,), "apps": (w.config("a", colour="${shade}"),)},
        {"flux": (apps,), "apps": (w.config("a", colour="${shade:=dark}"),)},
    )


@scene("substitution-opt-out")
def substitution_opt_out(w: Writer) -> tuple[Parts, ...]:
    """An object that opts out of substitution may hold anything."""
    variables: dict[str, Any] = {"postBuild": {"substitute": {"colour": "red"}}}
    apps = w.ks("apps", **variables)
    plain = marked(w.config("a", colour="${shade}"), labels={f"{KUSTOMIZE_GROUP}/substitute": "disabled"})
    return (
        {"flux": (apps,), "apps": (w.config("a"), w.config("b"))},
        {"flux": (apps,), "apps": (plain,)},
    )


@scene("health-fails")
def health_fails(w: Writer) -> tuple[Parts, ...]:
    """A failed health check comes after the prune, and holds up what depends on it."""
    checks = [{"apiVersion": "v1", "kind": "ConfigMap", "name": "missing", "namespace": w.namespace}]
    first = w.ks("first", timeout="3s")
    checked = w.ks("first", timeout="3s", healthChecks=checks)
    late = w.ks("late", dependsOn=[{"name": "first"}])
    return (
        {"flux": (first, late), "first": (w.config("a"), w.config("b")), "late": (w.config("c"), w.config("d"))},
        {"flux": (checked, late), "first": (w.config("a"), w.config("b")), "late": (w.config("c"), w.config("d"))},
        {"flux": (checked, late), "first": (w.config("a"),), "late": (w.config("c"),)},
    )


@scene("waits-for-a-frozen-child")
def waits_for_a_frozen_child(w: Writer) -> tuple[Parts, ...]:
    """A parent that waits is not ready while its child does not build."""
    top = w.ks("top", wait=True, timeout="3s")
    return (
        {"flux": (top,), "top": (w.ks("below"), w.config("x")), "below": (w.config("a"), w.config("b"))},
        {"flux": (top,), "top": (w.ks("below"),), "below": (w.config("a"), w.config("a"))},
        {"flux": (top,), "top": (w.ks("below"),), "below": (w.config("a"),)},
    )


@scene("waits-for-a-suspended-child")
def waits_for_a_suspended_child(w: Writer) -> tuple[Parts, ...]:
    """A child that is suspended while it is ready stays ready: its parent waits for nothing, nor what depends on it."""
    top, late = w.ks("top", wait=True, timeout="3s"), w.ks("late", dependsOn=[{"name": "top"}])
    content = {"below": (w.config("a"),), "late": (w.config("c"), w.config("d"))}
    return (
        {"flux": (top, late), "top": (w.ks("below"),), **content},
        {"flux": (top, late), "top": (w.ks("below", suspend=True),), **content, "late": (w.config("c"),)},
    )


@scene("new-and-broken")
def new_and_broken(w: Writer) -> tuple[Parts, ...]:
    """A Kustomization that comes and does not build holds up what depends on it from the beginning."""
    late = w.ks("late", dependsOn=[{"name": "first"}])
    broken: Parts = {"first": (w.config("a"),), "first/kustomization.yaml": text("resources: [missing.yaml]")}
    return (
        {"flux": (w.config("x"),)},
        {"flux": (w.ks("first"), late), **broken, "late": (w.config("b"),)},
    )


@scene("dependency-circle")
def dependency_circle(w: Writer) -> tuple[Parts, ...]:
    """Two that wait for each other never reconcile again, and lose nothing."""
    content: Parts = {"one": (w.config("a"), w.config("b")), "two": (w.config("c"),)}
    circle = (w.ks("one", dependsOn=[{"name": "two"}]), w.ks("two", dependsOn=[{"name": "one"}]))
    return (
        {"flux": (w.ks("one"), w.ks("two")), **content},
        {"flux": circle, **content},
        {"flux": circle, **content, "one": (w.config("b"),)},
    )


@scene("dependency-removed")
def dependency_removed(w: Writer) -> tuple[Parts, ...]:
    """What depends on a Kustomization that is gone waits for ever."""
    late = w.ks("late", dependsOn=[{"name": "first"}])
    return (
        {"flux": (w.ks("first"), late), "first": (w.config("a"),), "late": (w.config("b"), w.config("c"))},
        {"flux": (late,), "late": (w.config("b"), w.config("c"))},
        {"flux": (late,), "late": (w.config("b"),)},
    )


@scene("parent-changed")
def parent_changed(w: Writer) -> tuple[Parts, ...]:
    """A Kustomization moves from one parent to another: it may be finalized, with all it owns, before it comes back."""
    parents = (w.ks("one"), w.ks("two"))
    below = w.ks("below")
    return (
        {"flux": parents, "one": (below, w.config("x")), "two": (w.config("y"),), "below": (w.config("a"),)},
        {"flux": parents, "one": (w.config("x"),), "two": (below, w.config("y")), "below": (w.config("a"),)},
    )


@scene("three-levels-go")
def three_levels_go(w: Writer) -> tuple[Parts, ...]:
    """A cascade goes down through every level that prunes."""
    levels: Parts = {"top": (w.ks("middle"),), "middle": (w.ks("low"), w.config("m")), "low": (w.config("a"),)}
    return ({"flux": (w.ks("top"), w.config("x")), **levels}, {"flux": (w.config("x"),), **levels})


@scene("three-levels-suspended")
def three_levels_suspended(w: Writer) -> tuple[Parts, ...]:
    """A cascade ends at a suspended Kustomization."""
    running: Parts = {"top": (w.ks("middle"),), "middle": (w.ks("low"), w.config("m")), "low": (w.config("a"),)}
    stopped: Parts = {**running, "top": (w.ks("middle", suspend=True),)}
    return (
        {"flux": (w.ks("top"), w.config("x")), **running},
        {"flux": (w.ks("top"), w.config("x")), **stopped},
        {"flux": (w.config("x"),), **stopped},
    )


@scene("suspended-too-late")
def suspended_too_late(w: Writer) -> tuple[Parts, ...]:
    """Suspended in the commit that takes an object out: the child may be faster."""
    return (
        {"flux": (w.ks("apps"),), "apps": (w.config("a"), w.config("b"))},
        {"flux": (w.ks("apps", suspend=True),), "apps": (w.config("b"),)},
    )


@scene("resumed-with-removal")
def resumed_with_removal(w: Writer) -> tuple[Parts, ...]:
    """What left while it was suspended is pruned when it goes on."""
    return (
        {"flux": (w.ks("apps"),), "apps": (w.config("a"), w.config("b"))},
        {"flux": (w.ks("apps", suspend=True),), "apps": (w.config("a"), w.config("b"))},
        {"flux": (w.ks("apps", suspend=True),), "apps": (w.config("b"),)},
        {"flux": (w.ks("apps"),), "apps": (w.config("b"),)},
    )


@scene("namespace-comes-back")
def namespace_comes_back(w: Writer) -> tuple[Parts, ...]:
    """A Namespace is pruned with its content, and made again one commit later."""
    inside = w.config("a", namespace=w.within("shop"))
    return (
        {"flux": (w.ks("apps"),), "apps": (w.space("shop"), inside, w.config("x"))},
        {"flux": (w.ks("apps"),), "apps": (w.config("x"),)},
        {"flux": (w.ks("apps"),), "apps": (w.space("shop"), inside, w.config("x"))},
    )


@scene("hasty")
def hasty(w: Writer) -> tuple[Parts, ...]:
    """The hasty commit: everything below the root goes at once, while what is in it moves to another place."""
    content = (w.config("a"), w.config("b"))
    return (
        {"flux": (w.ks("infra"), w.ks("apps")), "infra": (w.ks("deep"),), "deep": content[:1], "apps": content[1:]},
        {"flux": (w.ks("all"),), "all": content},
    )


@scene("second-root")
def second_root(w: Writer) -> tuple[Parts, ...]:
    """A second root over the same children, then the first one lets go of them under opt-outs."""
    child = marked(w.ks("apps"), prune="disabled")
    content = (w.config("a"),)
    return (
        {"flux": (w.ks("apps"),), "apps": content},
        {"flux": (child,), "apps": content},
        {"flux": (w.ks("second"),), "second": (child,), "apps": content},
    )


@scene("second-root-at-once")
def second_root_at_once(w: Writer) -> tuple[Parts, ...]:
    """The same in one commit, without opt-outs: the child may be finalized before the second root has it."""
    content = (w.config("a"),)
    return (
        {"flux": (w.ks("apps"),), "apps": content},
        {"flux": (w.ks("second"),), "second": (w.ks("apps"),), "apps": content},
    )
