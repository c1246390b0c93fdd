"""Generation and build (codes G): what kustomize refuses, and what it silently takes in."""

from __future__ import annotations

from collections.abc import Iterator

from flux_handover.documents import read_documents
from flux_handover.findings import Location, Severity
from flux_handover.model.render import NO_NAMESPACE
from flux_handover.model.rendering import Build, BuildStatus, Failure
from flux_handover.model.settings_texts import bytes_of
from flux_handover.objects import KUSTOMIZE_GROUP, id_of
from flux_handover.proof.hazards.places import place_of
from flux_handover.proof.hazards.registry import Pair, Sign, View, in_pair, in_tree
from flux_handover.tree import Tree

KUSTOMIZATION_FILES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
OF_FAILURE = {
    "duplicate-id": "G3",
    "missing-file": "G7",
    "missing-path": "G7",
    "patch-no-match": "G7",
    "replacement": "G7",
    "missing-kustomization": "G6",
    "missing-name": "G5",
    "not-an-object": "G1",
    NO_NAMESPACE: "A1",
    "invalid-spec": "A3",
    "substitution": "V8",
    "invalid-variable": "V8",
    "undefined-variable": "V8",
}
"""Which hazard a failed build is, where its code decides it alone; every other failure is G8."""


def code_of(build: Build, tree: Tree) -> str:
    """The hazard that a failed build is."""
    failure = build.failure
    assert failure is not None
    if failure.code == "not-an-object" and not is_generated(build, tree):
        return "G8"
    if failure.code in ("unknown-field", "invalid-field") and _is_flux_object(tree, failure.where):
        return "G4"
    return OF_FAILURE.get(failure.code, "G8")


def broken(pair: Pair, code: str) -> Iterator[Sign]:
    """Kustomizations that stop building by this hazard, or fail in another way than before."""
    for build in pair.after.cluster:
        if build.status is BuildStatus.FAILED and code_of(build, pair.after.tree) == code:
            old = pair.before.cluster.builds.get(build.id)
            yield from _sign(build, old, pair)


def _sign(build: Build, old: Build | None, pair: Pair) -> Iterator[Sign]:
    failure, before = build.failure, _failure(old)
    assert failure is not None
    if before is None:
        said, severity = ("does not build any more" if old else "does not build"), Severity.ERROR
    else:
        said, severity = "still does not build, for another reason", Severity.WARNING
    if before is None or (before.code, before.message) != (failure.code, failure.message):
        where = failure.where or place_of(pair.after, build.id)
        yield Sign(f"{build.id} {said}: {failure.message}", build.id, where, severity=severity)


def failures(view: View) -> Iterator[tuple[str, Sign]]:
    """The Kustomizations of one side that do not build, each with the hazard that it is (contract K5)."""
    for build in view.cluster:
        failure = _failure(build)
        if failure is not None:
            where = failure.where or place_of(view, build.id)
            yield code_of(build, view.tree), Sign(f"{build.id} does not build: {failure.message}", build.id, where)


def _failure(build: Build | None) -> Failure | None:
    return build.failure if build is not None and build.status is BuildStatus.FAILED else None


def is_generated(build: Build, tree: Tree) -> bool:
    """Whether Flux makes the kustomization.yaml of a Kustomization: its directory has none."""
    start = f"{build.ks.path}/" if build.ks.path else ""
    return not any(f"{start}{name}" in tree for name in KUSTOMIZATION_FILES)


def _is_flux_object(tree: Tree, where: Location | None) -> bool:
    if where is None:
        return False
    documents = read_documents(where.file, bytes_of(tree, where.file)).documents
    return any(id_of(document.mapping).group == KUSTOMIZE_GROUP for document in documents)


@in_pair("G1", "file in a generated directory", "S2")
def generated_directory(pair: Pair) -> Iterator[Sign]:
    """A new YAML file lies below a directory without a kustomization.yaml, so Flux takes it in.

    Why: Flux lists every YAML file below such a directory; one that is no object breaks the whole build.
    Example: values of a chart, saved beside the Kustomizations of the root.
    Do: put the file elsewhere, or give the directory a kustomization.yaml that lists what it has now.
    """
    yield from broken(pair, "G1")


@in_pair("G2", "generated directory gets a list", "S0")
def generated_to_listed(pair: Pair) -> Iterator[Sign]:
    """A kustomization.yaml is added to a directory that Flux listed by itself, and lists less.

    Why: from then on only what it lists is applied, and the rest is pruned.
    Example: a kustomization.yaml with two of three files is added at the path of the root.
    Do: list exactly what is there, in a commit that deletes nothing; then change the list.
    """
    for build in pair.after.cluster:
        old = pair.before.cluster.builds.get(build.id)
        if old is None or not old.objects or old.ks.path != build.ks.path or build.status is not BuildStatus.OK:
            continue
        if is_generated(old, pair.before.tree) and not is_generated(build, pair.after.tree):
            left = sorted(old.ids - build.ids)
            if left:
                message = f"{build.id} now has a kustomization.yaml, which leaves out {len(left)} objects it applied"
                yield Sign(message, build.id, _own_file(build, pair.after.tree))


def _own_file(build: Build, tree: Tree) -> Location | None:
    start = f"{build.ks.path}/" if build.ks.path else ""
    return next((Location(f"{start}{name}", 1) for name in KUSTOMIZATION_FILES if f"{start}{name}" in tree), None)


@in_pair("G3", "duplicate id", "S2")
def duplicate_id(pair: Pair) -> Iterator[Sign]:
    """Two documents of one build have the same kind, namespace and name.

    Why: kustomize refuses the build, and the Kustomization is frozen.
    Example: a file is copied, and its object not renamed.
    Do: remove or rename one of them.
    """
    yield from broken(pair, "G3")


@in_pair("G4", "Flux object saved as kustomization.yaml", "S2")
def flux_object_as_kustomization(pair: Pair) -> Iterator[Sign]:
    """A Kustomization of Flux is saved under the name that kustomize keeps for itself.

    Why: kustomize reads the file as its own, and refuses the field `spec`.
    Example: `apps/kustomization.yaml` with `kind: Kustomization` of kustomize.toolkit.fluxcd.io.
    Do: name the file ks.yaml, and list it.
    """
    yield from broken(pair, "G4")


@in_pair("G5", "kustomization.yaml listed as a resource", "S2")
def kustomization_as_resource(pair: Pair) -> Iterator[Sign]:
    """A list of resources names a kustomization.yaml, or another file whose object has no name.

    Why: kustomize reads it as an object, which has no name.
    Example: `resources: [app/kustomization.yaml]`.
    Do: name the directory instead.
    """
    yield from broken(pair, "G5")


@in_pair("G6", "directory without kustomization.yaml", "S2")
def directory_without_list(pair: Pair) -> Iterator[Sign]:
    """A list of resources names a directory that has no kustomization.yaml.

    Why: Flux generates one for the top directory of a Kustomization only.
    Example: `resources: [app]`, where `app` holds a single manifest.
    Do: add a kustomization.yaml to the directory.
    """
    yield from broken(pair, "G6")


@in_pair("G7", "dangling reference", "S2")
def dangling_reference(pair: Pair) -> Iterator[Sign]:
    """A list, a patch or `spec.path` names what is not there.

    Why: the build fails, and the Kustomization is frozen until it is there.
    Example: a manifest is deleted, and `resources:` still lists it.
    Do: remove the entry, or restore the file.
    """
    yield from broken(pair, "G7")


@in_pair("G8", "damaged file", "S2")
def damaged_file(pair: Pair) -> Iterator[Sign]:
    """A file that a build reads is not what kustomize takes: no YAML, a wrong field, a cycle.

    Why: one file that cannot be read freezes the Kustomization that reads it.
    Example: an anchor that is not defined, after a bulk edit.
    Do: correct the file; edit with a tool that knows YAML, and build before you commit.
    """
    yield from broken(pair, "G8")


@in_tree("G9", "component without a namespace", "S2")
def component_without_namespace(view: View) -> Iterator[Sign]:
    """A Namespace is rendered whose name was meant to be replaced.

    Why: components carry a placeholder; without a `namespace:` in the kustomization.yaml that uses them, the
    placeholder becomes real.
    Example: a Namespace called `not-used`.
    Do: set `namespace:` in the kustomization.yaml that uses the component.
    """
    for _, object in view.cluster.objects():
        if object.id.kind == "Namespace" and object.id.name in PLACEHOLDERS:
            yield Sign(f"{object.id} is a placeholder that nothing replaces", object.id, place_of(view, object.id))


PLACEHOLDERS = frozenset({"not-used", "unused", "placeholder"})
