"""Bootstrap, tooling and references (codes B): what makes a cluster anew, and what watches over changes."""

from __future__ import annotations

import base64
import json
import posixpath
import re
from collections.abc import Collection, Iterable, Iterator
from itertools import pairwise

from flux_handover.findings import Location, Severity
from flux_handover.model.flux import HelmRelease, helm_releases
from flux_handover.model.installation import Method
from flux_handover.model.references_text import Confidence, mentions
from flux_handover.model.rendering import Cluster
from flux_handover.objects import Object, ObjectId, ids_of, is_flux_object, listed, mapping
from flux_handover.plan import present
from flux_handover.plan.listings import is_below
from flux_handover.proof.hazards.places import place_of
from flux_handover.proof.hazards.registry import Decided, Pair, Sign, View, in_pair, in_tree, live
from flux_handover.proof.hazards.stuck import broken_property
from flux_handover.proof.hazards.synced import Instance, instance_of
from flux_handover.proof.hazards.texts import Listed, helmfile_releases, is_mentioned, lines_of
from flux_handover.proof.staging import root_source
from flux_handover.tree import File, Tree, clean_path

_RANGE = re.compile(r"[x*^~<>= |]")
_TAG = re.compile(r":v?(\d+\.\d+\.\d+)(?:@|$)")
_TWO_PARTS = re.compile(r"^\d+\.\d+$")
_SYNC = re.compile(r"\bhelmfile\b(?P<options>.*?)\s(?:sync|apply)\b")
_PATH = re.compile(r"--path[=\s]+[\"']?(?:\./)?([\w./-]+)")
_CHECKOUT = re.compile(r"\s*path:\s*[\"']?(?:\./)?([\w.-][\w./-]*?)/?[\"']?\s*$")
_WORKSPACE = "/github/workspace/"
_FILE_OPTIONS = ("-f", "-k", "--filename", "--kustomize")
_FILE_OPTION = re.compile(r"(?:-f|-k|--filename|--kustomize)=(.*[^-].*)")
_TOOLS = re.compile(r"\b(?:flux-local|flate|kubeconform|flux-handover)\b")
_PRIVATE = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----|AGE-SECRET-KEY-1[A-Z0-9]{20}")
# A PEM block in Base64: so much of it holds the whole first line.
_ENCODED = re.compile(rb"LS0tLS1CRUdJTi[A-Za-z0-9+/]{42}")
_CONTROLLERS = ("kustomize-controller", "source-controller", "helm-controller")
_ACTING = ("workflow", "task runner", "script")
_MONITORS = ("PodMonitor", "ServiceMonitor", "VMPodScrape", "PrometheusRule")


@in_tree("B1", "helmfile names a missing file", "S2")
def missing_values(view: View) -> Iterator[Sign]:
    """A release of a helmfile takes values from a file that is not there, or a hook of it applies one.

    Why: the bootstrap of a new cluster stops at it, on the day it is needed.
    Example: `values: [../apps/dns/values.yaml]`, after the directory was renamed.
    Do: correct the path; render the helmfile in CI.
    """
    for release in helmfile_releases(view.tree):
        values = (("takes values from", value) for value in listed(release.content.get("values")))
        applied = (("has a hook that applies", value) for value in _hook_files(release))
        for verb, path in _inside(release, (*values, *applied)):
            if path not in view.tree and not view.tree.is_directory(path):
                yield Sign(f"release {release.name} {verb} {path}, which is not there", None, release.where)


def _inside(release: Listed, named: Iterable[tuple[str, object]]) -> Iterator[tuple[str, str]]:
    """Those that are plain paths inside the repository, from its top."""
    directory = posixpath.dirname(release.where.file)
    for verb, value in named:
        if isinstance(value, str) and "{{" not in value and "://" not in value:
            path = posixpath.normpath(posixpath.join(directory, value))
            yield from () if path.startswith("..") else ((verb, path),)


def _hook_files(release: Listed) -> Iterator[str]:
    """What the hooks of a release hand to kubectl."""
    for hook in listed(release.content.get("hooks")):
        if mapping(hook).get("command") == "kubectl":
            words = [str(word) for word in listed(mapping(hook).get("args"))]
            yield from (found[1] for word in words if (found := _FILE_OPTION.fullmatch(word)))
            pairs = pairwise(words)
            yield from (value for option, value in pairs if option in _FILE_OPTIONS and value != "-")


@in_tree("B2", "variable handed to Helm", "S0")
def variable_to_helm(view: View) -> Iterator[Sign]:
    """A release that bootstrap installs has `${...}` in values that are taken from its HelmRelease.

    Why: Flux would have put a value in; Helm passes the text on as it is.
    Example: a network plugin with `${POD_CIDR}` in its values, read by a helmfile template.
    Do: write the value, or let the template of the helmfile put it in.
    """
    if not _reads_releases(view.tree):
        return
    raw = {
        release.id.name: release
        for build in view.cluster
        for release in helm_releases(build.raw)
        if "${" in json.dumps(release.values, default=str).replace("$${", "")
    }
    for release in helmfile_releases(view.tree):
        if release.name in raw and not release.content.get("set"):
            message = f"release {release.name} is installed with variables that only Flux fills in"
            yield Sign(message, raw[release.name].id, release.where)


def _reads_releases(tree: Tree) -> bool:
    """Whether a template of a helmfile reads values out of HelmReleases."""
    templates = (tree.files[path].content or b"" for path in tree if path.endswith(".gotmpl"))
    return any(b"spec.values" in text or b".spec.values" in text or b'"values"' in text for text in templates)


@in_tree("B3", "whole helmfile on a live cluster", "S0", Severity.INFO)
def whole_helmfile(view: View) -> Iterator[Sign]:
    """A task applies a whole helmfile, without a selector.

    Why: on a cluster that runs, it also installs over releases that Flux owns now.
    Example: `helmfile -f apps.yaml sync`, in the checklist of an upgrade.
    Do: on a live cluster name the release: `-l name=flux-operator`.
    """
    count = len({release.name for release in helmfile_releases(view.tree)})
    for where, line in lines_of(view.tree, "task runner", "script", "documentation") if count > 2 else ():
        found = _SYNC.search(line)
        if found and not re.search(r"\s(?:-l|--selector)\b", line):
            yield Sign(f"a whole helmfile with {count} releases is applied", None, where)


@in_tree("B4", "bootstrap lacks an input", "S2")
def missing_input(view: View) -> Iterator[Sign]:
    """A Secret or ConfigMap that Flux needs is neither rendered nor named by any other file.

    Why: a new cluster waits for it, and nobody knows where it comes from.
    Example: the key of `decryption.secretRef`, created by hand long ago.
    Do: let a step of the bootstrap create it, or write down how.
    """
    live_files = frozenset().union(*(build.reads for build in view.cluster))
    for id in sorted(_needed(view.cluster) - _there(view.cluster)):
        if not is_mentioned(view.tree, id.name, live_files):
            yield Sign(f"{id} is needed, and nothing in Git creates it or says how", id)


def _there(cluster: Cluster) -> frozenset[ObjectId]:
    """What Kustomizations render, and the Secrets that controllers make of it."""
    objects = tuple(cluster.present())
    made = (o for o in objects if o.id.kind in ("ExternalSecret", "SealedSecret"))
    return ids_of(objects) | {ObjectId("", "Secret", o.id.namespace, _made_name(o)) for o in made}


def _needed(cluster: Cluster) -> set[ObjectId]:
    keys = {build.ks.decryption_secret for build in cluster if build.ks.decryption_secret}
    keys |= {source.secret for source in cluster.sources.values() if source.secret}
    return keys.union(*(build.ks.required_variables for build in cluster))


def _made_name(object: Object) -> str:
    """The Secret that an ExternalSecret or SealedSecret makes."""
    return str(mapping(object.spec.get("target")).get("name") or object.id.name)


@in_pair("B5", "version skew", "S1", decided=Decided.SERIES)
def version_skew(pair: Pair) -> Iterator[Sign]:
    """Flux goes down, or over more than one minor version, or a FluxInstance arrives with a range.

    Why: controllers migrate what they store one minor at a time; a range moves later, without a commit.
    Example: `distribution.version: 2.x` in the commit that hands Flux over.
    Do: name the version that runs, and upgrade later, minor by minor.
    """
    yield from broken_property(pair, "B5")
    old, new = instance_of(pair.before.cluster), instance_of(pair.after.cluster)
    running = pair.before.installation.version
    if new is not None and old is None and running and pair.before.installation.method is not Method.OPERATOR:
        yield from _arriving(new, running, pair.after)


def _arriving(instance: Instance, running: str, after: View) -> Iterator[Sign]:
    version = str(instance.version or "")
    if version.removeprefix("v") != running.removeprefix("v"):
        said = "a range" if _RANGE.search(version) else "another version"
        message = f"the FluxInstance arrives with {said}, {version or 'none'}, while {running} runs"
        yield Sign(message, instance.id, place_of(after, instance.id), severity=Severity.WARNING)


@in_tree("B6", "artifact pinned to another version", "S3")
def stale_artifact(view: View) -> Iterator[Sign]:
    """`distribution.artifact` of the FluxInstance has another version than the operator.

    Why: the manifests stay behind while the operator moves, and Flux with them.
    Example: `artifact: oci://.../flux-operator-manifests:v0.32.0` beside an operator 0.53.0.
    Do: drop the field, or let the update tool move both.
    """
    instance, operator = instance_of(view.cluster), present.operator_release(view.cluster)
    tag = _TAG.search(instance.artifact) if instance else None
    version = present.chart_version(operator.object, view.cluster) if operator else ""
    if instance and tag and version and tag[1] != version:
        message = f"{instance.id} takes its manifests from {tag[1]}, and the operator is {version}"
        yield Sign(message, instance.id, place_of(view, instance.id))


@in_pair("B7", "stale reference", "S3", Severity.WARNING)
def stale_reference(pair: Pair) -> Iterator[Sign]:
    """A Flux object goes, and a workflow, a task or a receiver still names it.

    Why: what names it does nothing any more, silently.
    Example: `flux reconcile kustomization cluster` in a task file.
    Do: let it name what took the place.
    """
    gone = [one.id for one in pair.deletes if not one.cascade and not one.recreated and is_flux_object(one.id)]
    live_files = frozenset().union(*(build.reads for build in pair.after.cluster))
    for mention in mentions(pair.after.tree, gone, (), live=live_files) if gone else ():
        if mention.confidence is Confidence.CERTAIN and mention.sort in _ACTING:
            where = Location(mention.file, mention.line)
            yield Sign(f"{mention.what} goes, and a {mention.sort} names it", None, where)


@in_tree("B8", "blind guard", "S2")
def blind_guard(view: View) -> Iterator[Sign]:
    """A check in CI looks at a directory that is not there.

    Why: it passes, whatever is pushed.
    Example: `flux-local build --path kubernetes/flux/cluster`, after the directory was renamed.
    Do: correct the path, and make the check required.
    """
    lines = list(lines_of(view.tree, "workflow"))
    checkouts = {(where.file, found[1]) for where, line in lines if (found := _CHECKOUT.match(line))}
    for where, line in lines:
        found = _PATH.search(line) if _TOOLS.search(line) or "--path" in line else None
        places = {"", *(path for file, path in checkouts if file == where.file)}
        if found and "$" not in line[: found.end()] and not _is_there(found[1], places, view.tree):
            yield Sign(f"a workflow looks at {found[1]}, which is not there", None, where)


def _is_there(path: str, places: Collection[str], tree: Tree) -> bool:
    """Whether a directory that a job names lies in the repository, checked out at one of these places.

    A step in a container finds the workspace at `/github/workspace`; other absolute paths are of no repository.
    """
    inside = path.removeprefix(_WORKSPACE)
    if inside.startswith("/"):
        return True
    clean = clean_path(inside)
    return any(tree.is_directory(clean[len(place) :]) for place in places if is_below(clean, place))


@in_pair("B9", "secret committed", "S1")
def secret_committed(pair: Pair) -> Iterator[Sign]:
    """A new file holds a private key in the clear, as text or in Base64.

    Why: whoever reads the repository has the cluster; removing it later does not take it out of the history.
    Example: generated machine configuration, added with everything else in an emergency.
    Do: take it out before it is pushed, and make new keys if it was.
    """
    old, new = pair.before.tree.files, pair.after.tree.files
    for path in sorted(path for path in new if path not in old or old[path].digest != new[path].digest):
        if _has_key(new[path]) and not (path in old and _has_key(old[path])):
            yield Sign(f"{path} holds a private key in the clear", None, Location(path))


def _has_key(file: File) -> bool:
    content = file.content or b""
    encoded = (base64.b64decode(found) for found in _ENCODED.findall(content))
    return any(_PRIVATE.search(text) for text in (content, *encoded))


@in_pair("B10", "settings of the source lost", "S4", Severity.WARNING)
def source_settings_lost(pair: Pair) -> Iterator[Sign]:
    """The operator takes over the source of the root, and fields of it are gone.

    Why: the operator writes interval, ref, url and credentials, and nothing else.
    Example: `spec.ignore` of the GitRepository.
    Do: put them back by a patch in `FluxInstance.spec.kustomize.patches`.
    """
    old, new = root_source(pair.before.cluster).object, root_source(pair.after.cluster).object
    left = sorted(set(old.spec) - set(new.spec) - {"suspend", "gitImplementation"})
    instance, before = instance_of(pair.after.cluster), instance_of(pair.before.cluster)
    if left and before is None and instance is not None and instance.has_sync:
        yield Sign(f"{new.id} loses {', '.join(left)}", new.id, place_of(pair.before, old.id))


@in_pair("B11", "monitoring of Flux lost", "S3", Severity.WARNING)
def monitoring_lost(pair: Pair) -> Iterator[Sign]:
    """What scraped the Flux controllers, or alerted on them, is gone, and nothing took its place.

    Why: the next failure of Flux is seen by nobody.
    Example: a PodMonitor that selects the controllers is removed along with the old installation.
    Do: keep it, or let the chart of the operator bring its own.
    """
    old, new = _monitors(pair.before.cluster), _monitors(pair.after.cluster)
    for id in sorted(old) if old and not new else ():
        yield Sign(f"{id} watched the Flux controllers, and nothing does any more", id, place_of(pair.before, id))


def _monitors(cluster: Cluster) -> set[ObjectId]:
    return {
        object.id
        for _, object in cluster.objects()
        if object.id.kind in _MONITORS and any(name in json.dumps(object.spec, default=str) for name in _CONTROLLERS)
    }


live(
    "B12",
    "NetworkPolicy of the operator",
    "S4",
    """Newer charts of the operator bring a NetworkPolicy, and metrics are no longer scraped.

    Why: an alert on an absent FluxInstance fires, and nothing is wrong with Flux.
    Example: the metrics port of the operator is closed after an update of its chart.
    Do: allow the monitoring namespace, or switch the policy off in the chart's values.
    """,
)


@in_tree("B13", "version that is a number", "S2")
def numeric_version(view: View) -> Iterator[Sign]:
    """The version of the FluxInstance has two parts, and becomes a number on its way.

    Why: YAML reads `2.6` as a number, and the API server wants a text; older charts do not quote it.
    Example: `version: 2.6`.
    Do: write three parts, `2.6.4` or `2.6.x`, or quote it.
    """
    instance = instance_of(view.cluster)
    if instance and _is_number(instance):
        message = f"{instance.id} gives the version {instance.version}, which is read as a number"
        yield Sign(message, instance.id, place_of(view, instance.id))


def _is_number(instance: Instance) -> bool:
    version = instance.version
    return isinstance(version, int | float) or (instance.is_release and bool(_TWO_PARTS.match(str(version or ""))))


@in_tree("B14", "installer that restarts itself", "S1")
def restarting_installer(view: View) -> Iterator[Sign]:
    """The HelmRelease of the FluxInstance waits for it, or uninstalls where it fails.

    Why: the instance rolls helm-controller in the middle of its own action; a counted failure leads to an
    uninstall, and that uninstalls Flux.
    Example: `install.remediation.retries: 3`, put into every HelmRelease by a patch of the parent.
    Do: `disableWait: true` for install and upgrade, no remediation of the install, no strategy that uninstalls.
    """
    for build in view.cluster:
        for release in helm_releases(build.objects):
            if present.chart_of(release, view.cluster) == "flux-instance":
                yield from _restarting(view, release)


def _restarting(view: View, release: HelmRelease) -> Iterator[Sign]:
    install, upgrade = (mapping(release.object.spec.get(action)) for action in ("install", "upgrade"))
    actions = (("install", install), ("upgrade", upgrade))
    problems = [f"{name}.disableWait is not true" for name, action in actions if action.get("disableWait") is not True]
    if mapping(install.get("remediation")).get("retries"):
        problems.append("install.remediation.retries is set")
    strategy = mapping(upgrade.get("remediation")).get("strategy")
    if strategy in ("uninstall", "rollback") or mapping(upgrade.get("remediation")).get("retries"):
        problems.append(f"upgrade.remediation leads to {strategy or 'rollback'}")
    for problem in problems:
        yield Sign(f"{release.id}: {problem}", release.id, place_of(view, release.id))
