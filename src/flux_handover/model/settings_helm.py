"""Settings in the values of chart `flux2`: which field of which controller each value becomes.

Read from `fluxcd-community/helm-charts:charts/flux2/templates` (chart 2.18.3). A value without a
field in Flux itself is kept as a setting of the release, so that it is refused by name and not lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flux_handover.findings import Location
from flux_handover.model.effective import facts
from flux_handover.model.installation import Setting, SettingKind
from flux_handover.objects import ObjectId, mapping, object_of

CONTROLLERS = {
    "sourceController": "source-controller",
    "kustomizeController": "kustomize-controller",
    "helmController": "helm-controller",
    "notificationController": "notification-controller",
    "imageReflectionController": "image-reflector-controller",
    "imageAutomationController": "image-automation-controller",
    "sourceWatcher": "source-watcher",
}
_OFF_BY_DEFAULT = frozenset({"sourceWatcher"})
_POD = (
    "priorityClassName",
    "nodeSelector",
    "affinity",
    "tolerations",
    "hostNetwork",
    "dnsPolicy",
    "dnsConfig",
    "volumes",
    "initContainers",
    "topologySpreadConstraints",
)
_CONTAINER = ("resources", "securityContext", "volumeMounts", "imagePullPolicy", "envFrom")
_ELSEWHERE = ("create", "image", "tag", "container", "extraEnv", "annotations", "labels", "serviceAccount", "replicas")

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class ChartValues:
    """The values of a release: where it lies, what they are, and where each is written."""

    release: ObjectId
    namespace: str
    values: Mapping[str, Any]
    place: Callable[[Path], Location]


def enabled(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Controllers that a release of the chart runs."""
    chosen = (
        name
        for key, name in CONTROLLERS.items()
        if mapping(values.get(key)).get("create", key not in _OFF_BY_DEFAULT) is not False
    )
    return tuple(sorted(chosen))


def chart_settings(chart: ChartValues) -> tuple[Setting, ...]:
    """The settings in the values that are given, each at its own line."""
    found = [setting for key in CONTROLLERS if key in chart.values for setting in _controller(chart, key)]
    found += _common(chart)
    return tuple(sorted(found, key=lambda s: (s.where, s.target, s.kind.value, s.key)))


def _controller(chart: ChartValues, key: str) -> Iterator[Setting]:
    values = mapping(chart.values.get(key))
    name = CONTROLLERS[key]
    target = ObjectId("apps", "Deployment", chart.namespace, name)
    if values.get("create") is False and key not in _OFF_BY_DEFAULT:
        yield Setting(target, SettingKind.COMPONENT, name, "removed", chart.place((key, "create")))
        return
    if values.get("create") is True and key in _OFF_BY_DEFAULT:
        yield Setting(target, SettingKind.COMPONENT, name, "added", chart.place((key, "create")))
    yield from _rendered(chart, key, name, values)
    account = mapping(mapping(values.get("serviceAccount")).get("annotations"))
    for mark, value in account.items():
        id = ObjectId("", "ServiceAccount", chart.namespace, name)
        where = chart.place((key, "serviceAccount", "annotations", mark))
        yield Setting(id, SettingKind.METADATA, f"annotations.{mark}", str(value), where)
    for field in values:
        if field not in (*_POD, *_CONTAINER, *_ELSEWHERE):
            yield _unplaced(chart, (key, field), values[field])


def _rendered(chart: ChartValues, key: str, name: str, values: Mapping[str, Any]) -> Iterator[Setting]:
    """The values as facts of the Deployment they render to, so that keys are those of every other method."""
    deployment = object_of(_deployment(name, chart.namespace, values))
    for fact in facts(deployment):
        kind = SettingKind(fact.about.kind)
        path = _path(fact.about.key, kind, values)
        if path is not None:
            yield Setting(deployment.id, kind, fact.about.key, fact.written, chart.place((key, *path)))


def _deployment(name: str, namespace: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
    container = {field: values[field] for field in _CONTAINER if values.get(field)}
    container |= {"name": "manager", "args": mapping(values.get("container")).get("additionalArgs") or []}
    container |= {"env": values.get("extraEnv") or []}
    if values.get("image") or values.get("tag"):
        container["image"] = f"{values.get('image') or f'ghcr.io/fluxcd/{name}'}:{values.get('tag') or ''}".rstrip(":")
    pod = {field: values[field] for field in _POD if values.get(field)} | {"containers": [container]}
    marks = {field: values[field] for field in ("annotations", "labels") if values.get(field)}
    spec: dict[str, Any] = {"template": {"metadata": marks, "spec": pod}}
    if values.get("replicas") is not None:
        spec["replicas"] = values["replicas"]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def _path(key: str, kind: SettingKind, values: Mapping[str, Any]) -> Path | None:
    """Where in a controller's values a fact comes from; None for the fact that the Deployment exists."""
    match kind:
        case SettingKind.COMPONENT:
            return None
        case SettingKind.ARGUMENT | SettingKind.GATE:
            return ("container", "additionalArgs", _index(values, key))
        case SettingKind.LIMIT:
            return ("resources", "limits", key)
        case SettingKind.REQUEST:
            return ("resources", "requests", key)
        case SettingKind.ENV:
            return ("extraEnv",)
        case SettingKind.VOLUME:
            return ("volumeMounts",) if key.startswith("/") else ("volumes",)
        case SettingKind.IMAGE:
            return ("tag",) if values.get("tag") else ("image",)
        case SettingKind.METADATA:
            return (*key.removeprefix("template.").split(".", 1),)
        case _:
            return (key.removeprefix("container.").partition(".")[0],)


def _index(values: Mapping[str, Any], key: str) -> int:
    arguments = mapping(values.get("container")).get("additionalArgs") or []
    hits = [index for index, argument in enumerate(arguments) if key in str(argument)]
    return hits[-1] if hits else 0


def _common(chart: ChartValues) -> Iterator[Setting]:
    """Values that concern several controllers, or none."""
    for key, value in chart.values.items():
        if key in CONTROLLERS:
            continue
        argument = {"logLevel": "--log-level", "watchAllNamespaces": "--watch-all-namespaces"}.get(key)
        if argument is not None:
            written = str(value).lower() if isinstance(value, bool) else str(value)
            yield from _everywhere(chart, SettingKind.ARGUMENT, argument, written, (key,))
        elif key == "imagePullSecrets" and value:
            yield from _everywhere(chart, SettingKind.IMAGE, key, str(value), (key,))
        elif key == "policies" and mapping(value).get("create") is False:
            yield from _without_policies(chart)
        elif key == "multitenancy" and mapping(value).get("enabled") is True:
            yield from _multitenancy(chart, mapping(value))
        elif key not in ("installCRDs", "crds", "cli"):
            yield _unplaced(chart, (key,), value)


def _everywhere(chart: ChartValues, kind: SettingKind, key: str, value: str, path: Path) -> Iterator[Setting]:
    for name in enabled(chart.values):
        yield Setting(ObjectId("apps", "Deployment", chart.namespace, name), kind, key, value, chart.place(path))


def _without_policies(chart: ChartValues) -> Iterator[Setting]:
    for name in ("allow-egress", "allow-scraping", "allow-webhooks"):
        id = ObjectId("networking.k8s.io", "NetworkPolicy", chart.namespace, name)
        yield Setting(id, SettingKind.DELETION, "object", "deleted", chart.place(("policies", "create")))


def _multitenancy(chart: ChartValues, values: Mapping[str, Any]) -> Iterator[Setting]:
    account = str(values.get("defaultServiceAccount") or "default")
    where = chart.place(("multitenancy", "enabled"))
    for name in enabled(chart.values):
        target = ObjectId("apps", "Deployment", chart.namespace, name)
        if name not in ("source-controller", "source-watcher"):
            yield Setting(target, SettingKind.ARGUMENT, "--no-cross-namespace-refs", "true", where)
        if name in ("kustomize-controller", "helm-controller"):
            yield Setting(target, SettingKind.ARGUMENT, "--default-service-account", account, where)


def _unplaced(chart: ChartValues, path: Path, value: Any) -> Setting:
    """A value that Flux itself has no field for, such as an ingress or a PodMonitor of the chart."""
    key = "values." + ".".join(str(part) for part in path)
    # The content may hold anything, so only what kind of value it is is said.
    written = str(value).lower() if isinstance(value, bool) else type(value).__name__
    return Setting(chart.release, SettingKind.METADATA, key, written, chart.place(path))
