"""What chart `flux2` installs, and the patches with which a FluxInstance runs the same.

The chart renders the objects of a release with fewer fields: no limits, no priority class, no
Go limits from resources, no quota (`fluxcd-community/helm-charts:charts/flux2/templates@flux2-2.18.3`).
The patches are the difference between the two, computed, so that what a value does not say stays as it is too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flux_handover import catalogue
from flux_handover.findings import Location
from flux_handover.model.detection_charts import FLUX_OF_CHART, Release, merged
from flux_handover.model.installation import FluxPatch
from flux_handover.model.settings_helm import CONTROLLERS, enabled
from flux_handover.objects import HELM_POLICY, Object, listed, mapping, object_of
from flux_handover.plan.manifests import text_of

Manifest = Mapping[str, Any]

_POD = ("priorityClassName", "nodeSelector", "affinity", "tolerations", "initContainers")
_WITHOUT_GROUP = frozenset({"notification-controller", "helm-controller"})
_CRITICAL = "critical-pods"
_TOKEN = "serviceaccounts/token"
_LOCKED = frozenset(CONTROLLERS.values()) - {"source-controller", "source-watcher"}
_IMPERSONATING = frozenset({"kustomize-controller", "helm-controller"})
_RUN_AS = {"runAsUser": 65534}
_KEYED = {"containers": "name", "env": "name", "volumes": "name", "volumeMounts": "mountPath", "initContainers": "name"}


@dataclass(frozen=True, slots=True)
class Charted:
    """One release of the chart: the distribution it is made from, what it runs, and what makes one of the other."""

    plain: tuple[Object, ...]
    live: tuple[Object, ...]
    patches: tuple[FluxPatch, ...]


def charted(release: Release) -> Charted | None:
    """What a release installs, cluster roles under the names that the operator gives them; None if unknown."""
    version = FLUX_OF_CHART.get(release.version.removeprefix("v"), "")
    return charted_at(release, version) if catalogue.has(version) else None


def charted_at(release: Release, version: str) -> Charted:
    """What a release installs where its chart brings that Flux."""
    chosen = tuple(name for name in catalogue.components(version) if name in enabled(release.values))
    manifests = catalogue.install_manifests(version, chosen, release.namespace)
    live = tuple(_rendered(manifest, release) for manifest in manifests if _is_rendered(manifest, release.values))
    patches = tuple(_patches(manifests, live, release))
    return Charted(tuple(map(object_of, manifests)), tuple(map(object_of, live)), patches)


def stored_objects(release: Release) -> tuple[Object, ...] | None:
    """What Helm has applied of a release: plain names. The Namespace is there and never goes with it."""
    content = charted(release)
    if content is None:
        return None
    keeps = mapping(mapping(release.values.get("crds")).get("annotations"))
    stored = (_stored(object, release.namespace, keeps) for object in content.live)
    return tuple(stored)


def leftovers(release: Release) -> tuple[Object, ...]:
    """Cluster roles and bindings that the operator renders under another name, so that nobody owns them later."""
    namespaced = f"-{release.namespace}"
    found = stored_objects(release) or ()
    return tuple(o for o in found if o.id.kind.startswith("ClusterRole") and not o.id.name.endswith(namespaced))


def _stored(object: Object, namespace: str, keeps: Manifest) -> Object:
    metadata = dict(mapping(object.data.get("metadata")))
    if object.id.kind.startswith("ClusterRole"):
        metadata["name"] = object.id.name.removesuffix(f"-{namespace}")
    if object.id.kind == "Namespace":
        metadata["annotations"] = {HELM_POLICY: "keep"}
    if object.id.kind == "CustomResourceDefinition":
        metadata["annotations"] = {**mapping(metadata.get("annotations")), **keeps}
    return object_of({**object.data, "metadata": metadata})


def _is_rendered(manifest: Manifest, values: Manifest) -> bool:
    name, kind = str(manifest["metadata"]["name"]), manifest["kind"]
    if kind == "NetworkPolicy":
        return mapping(values.get("policies")).get("create") is not False
    if kind == "ClusterRole" and name.startswith(("flux-edit", "flux-view")):
        return mapping(values.get("rbac")).get("createAggregation") is not False
    return bool(kind != "ResourceQuota")


def _rendered(manifest: Manifest, release: Release) -> Manifest:
    match manifest["kind"]:
        case "Deployment":
            return _deployment(manifest, release)
        case "ServiceAccount":
            return _account(manifest, release.values)
        case "ClusterRole":
            rules = manifest.get("rules") or ()
            return {**manifest, "rules": [rule for rule in rules if _TOKEN not in rule.get("resources", ())]}
        case _:
            return manifest


def _of(name: str, values: Manifest) -> Manifest:
    """The values of one controller."""
    key = next((key for key, controller in CONTROLLERS.items() if controller == name), "")
    return mapping(values.get(key))


def _account(manifest: Manifest, values: Manifest) -> Manifest:
    given = mapping(_of(manifest["metadata"]["name"], values).get("serviceAccount")).get("annotations")
    metadata = manifest["metadata"]
    marks = {**metadata.get("annotations", {}), **mapping(given)}
    return {**manifest, "metadata": {**metadata, "annotations": marks}} if marks else manifest


def _deployment(manifest: Manifest, release: Release) -> Manifest:
    name = manifest["metadata"]["name"]
    values, spec = _of(name, release.values), manifest["spec"]
    template = spec["template"]
    marks = mapping(values.get("labels"))
    metadata = {
        "labels": {**template["metadata"]["labels"], **marks},
        "annotations": {**template["metadata"].get("annotations", {}), **mapping(values.get("annotations"))},
    }
    whole = {**manifest["metadata"], "labels": {**manifest["metadata"]["labels"], **marks}}
    replicas = {"replicas": values["replicas"]} if values.get("replicas") is not None else {}
    pod = _pod(name, template["spec"], values, release.values)
    changed = {**spec, **replicas, "template": {**template, "metadata": metadata, "spec": pod}}
    return {**manifest, "metadata": whole, "spec": changed}


def _pod(name: str, plain: Manifest, values: Manifest, common: Manifest) -> Manifest:
    kept = {key: value for key, value in plain.items() if key not in (*_POD, "securityContext")}
    given = {key: values[key] for key in _POD if values.get(key)}
    security = values.get("podSecurityContext") or ({} if name in _WITHOUT_GROUP else plain.get("securityContext"))
    if security:
        given["securityContext"] = security
    if common.get("imagePullSecrets"):
        given["imagePullSecrets"] = common["imagePullSecrets"]
    container = _container(name, plain["containers"][0], values, common)
    volumes = [*plain.get("volumes", ()), *(values.get("volumes") or ())]
    return {**kept, **given, "containers": [container], "volumes": volumes}


def _container(name: str, plain: Manifest, values: Manifest, common: Manifest) -> Manifest:
    given: dict[str, Any] = {
        "args": [*_in_domain(plain["args"], common), *_added_arguments(name, values, common)],
        "env": [*plain["env"][:1], *listed(values.get("extraEnv"))],
        "image": _image(str(plain["image"]), values),
        "imagePullPolicy": values.get("imagePullPolicy") or plain["imagePullPolicy"],
        "resources": _resources(name, mapping(values.get("resources"))),
        "securityContext": values.get("securityContext") or {**plain["securityContext"], **_RUN_AS},
        "volumeMounts": [*plain["volumeMounts"], *listed(values.get("volumeMounts"))],
    }
    sources = values.get("envFrom")
    if isinstance(sources, Mapping):
        given["envFrom"] = list(_sources(sources))
    return {**plain, **given}


def _sources(sources: Manifest) -> Iterator[Manifest]:
    for key, field in (("map", "configMapRef"), ("secret", "secretRef")):
        if mapping(sources.get(key)).get("name"):
            yield {field: {"name": sources[key]["name"]}}


def _resources(name: str, given: Manifest) -> Manifest:
    """The chart's requests and no limits, with the values over both."""
    cpu = "50m" if name == "source-watcher" else "100m"
    together = merged({"requests": {"cpu": cpu, "memory": "64Mi"}}, given)
    return {field: together[field] for field in ("limits", "requests") if together.get(field)}


def _image(plain: str, values: Manifest) -> str:
    name, _, tag = plain.rpartition(":")
    given = str(values.get("tag") or tag)
    return f"{values.get('image') or name}{'@' if given.startswith('sha256:') else ':'}{given}"


def _in_domain(arguments: Iterable[str], common: Manifest) -> list[str]:
    domain = str(common.get("clusterDomain") or "cluster.local")
    return [argument.replace(".svc.cluster.local.", f".svc.{domain}.") for argument in arguments]


def _added_arguments(name: str, values: Manifest, common: Manifest) -> Iterator[str]:
    """Arguments that the values add or change; they come last, where they count."""
    if common.get("watchAllNamespaces") is False:
        yield "--watch-all-namespaces=false"
    if common.get("logLevel") not in (None, "", "info"):
        yield f"--log-level={common['logLevel']}"
    tenancy = mapping(common.get("multitenancy"))
    if tenancy.get("enabled") is True and name in _LOCKED:
        yield "--no-cross-namespace-refs=true"
        if name in _IMPERSONATING:
            yield f"--default-service-account={tenancy.get('defaultServiceAccount') or 'default'}"
    yield from (str(argument) for argument in mapping(values.get("container")).get("additionalArgs") or ())


def _patches(plain: Iterable[Manifest], live: Iterable[Manifest], release: Release) -> Iterator[FluxPatch]:
    after = {(one["kind"], one["metadata"]["name"]): one for one in live}
    for manifest in plain:
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        kept = after.get((kind, name))
        if kept is None:
            yield from _absent(kind, str(name), release)
            continue
        match kind:
            case "Deployment":
                yield from _controller(manifest, kept, release)
            case "ServiceAccount" if kept != manifest:
                yield _merge(manifest, {"metadata": _difference(manifest, kept, "metadata")}, _place(release, name))
            case _:
                pass


def _absent(kind: str, name: str, release: Release) -> Iterator[FluxPatch]:
    stem = name.removesuffix(f"-{release.namespace}")
    api = {"ResourceQuota": "v1", "NetworkPolicy": "networking.k8s.io/v1"}.get(kind, "rbac.authorization.k8s.io/v1")
    content = {"$patch": "delete", "apiVersion": api, "kind": kind, "metadata": {"name": stem}}
    if kind != "NetworkPolicy":
        yield FluxPatch(text_of(content), (("kind", kind), ("name", name)), release.where)
    elif name == "allow-egress":
        yield FluxPatch(text_of(content), (("kind", kind),), release.place(("policies", "create")))


def _controller(plain: Manifest, live: Manifest, release: Release) -> Iterator[FluxPatch]:
    name = plain["metadata"]["name"]
    place = _place(release, name)
    before, after = _containers(plain)[0]["args"], _containers(live)[0]["args"]
    added = [
        {"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": argument}
        for argument in after[len(before) :]
    ]
    if added:
        yield FluxPatch(text_of(added), (("kind", "Deployment"), ("name", name)), place)
    metadata = _difference(plain, live, "metadata")
    content = {"metadata": metadata} if metadata else {}
    yield _merge(plain, {**content, "spec": _difference(_bare(plain), _bare(live), "spec")}, place)


def _containers(manifest: Manifest) -> list[Any]:
    found: list[Any] = manifest["spec"]["template"]["spec"]["containers"]
    return found


def _bare(manifest: Manifest) -> Manifest:
    """The Deployment without arguments and image: those are appended, or follow from the version."""
    spec = manifest["spec"]
    template = spec["template"]
    first = {key: value for key, value in _containers(manifest)[0].items() if key not in ("args", "image")}
    pod = {**template["spec"], "containers": [first]}
    return {"spec": {**spec, "template": {**template, "spec": pod}}}


def _place(release: Release, name: str) -> Location:
    key = next((key for key, controller in CONTROLLERS.items() if controller == name), name)
    return release.place((key,))


def _merge(manifest: Manifest, content: Manifest, place: Location) -> FluxPatch:
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    metadata = {**mapping(content.get("metadata")), "name": name}
    whole = {"apiVersion": manifest["apiVersion"], "kind": kind, **content, "metadata": metadata}
    return FluxPatch(text_of(whole), (("kind", kind), ("name", name)), place)


def _difference(before: Manifest, after: Manifest, field: str) -> dict[str, Any]:
    return merge_patch(mapping(before.get(field)), mapping(after.get(field)))


def merge_patch(before: Manifest, after: Manifest) -> dict[str, Any]:
    """The strategic merge patch that turns one part of a Deployment into the other; null removes."""
    patch: dict[str, Any] = dict.fromkeys(before.keys() - after.keys())
    for key, value in after.items():
        old = before.get(key)
        if old == value:
            continue
        if key in _KEYED and isinstance(value, list):
            patch[key] = list(_entries(old or [], value, _KEYED[key]))
        elif isinstance(old, Mapping) and isinstance(value, Mapping):
            patch[key] = merge_patch(old, value)
        else:
            patch[key] = value
    return dict(sorted(patch.items()))


def _keyed(entries: list[Any], by: str) -> dict[Any, Manifest]:
    return {entry[by]: entry for entry in entries}


def _entries(before: list[Any], after: list[Any], by: str) -> Iterator[Manifest]:
    old, new = _keyed(before, by), _keyed(after, by)
    for name, entry in new.items():
        if name not in old:
            yield entry
        elif old[name] != entry:
            yield {by: name, **merge_patch(old[name], entry)}
    yield from ({by: name, "$patch": "delete"} for name in old if name not in new)
