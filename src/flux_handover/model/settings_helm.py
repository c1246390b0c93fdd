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
from flux_handover.model.effective_values import text
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
_EVERYWHERE = {
    "logLevel": (SettingKind.ARGUMENT, "--log-level"),
    "watchAllNamespaces": (SettingKind.ARGUMENT, "--watch-all-namespaces"),
    "imagePullSecrets": (SettingKind.IMAGE, "imagePullSecrets"),
}
_ONLY_THE_CHART = frozenset({"installCRDs", "crds", "cli"})
_IMPERSONATING = frozenset({"kustomize-controller", "helm-controller"})
_LOCKED = frozenset(CONTROLLERS.values()) - {"source-controller", "source-watcher"}
_ELSEWHERE = ("create", "image", "tag", "container", "extraEnv", "annotations", "labels", "serviceAccount", "replicas")
_KNOWN = frozenset((*_POD, *_CONTAINER, *_ELSEWHERE))

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
    values, name = mapping(chart.values.get(key)), CONTROLLERS[key]
    target = ObjectId("apps", "Deployment", chart.namespace, name)
    chosen = values.get("create", key not in _OFF_BY_DEFAULT)
    if chosen is (key in _OFF_BY_DEFAULT):
        change = "added" if chosen else "removed"
        yield Setting(target, SettingKind.COMPONENT, name, change, chart.place((key, "create")))
    if chosen is not False:
        yield from _rendered(chart, key, name, values)
        yield from _account(chart, key, name, values)
        yield from (_unplaced(chart, (key, field), values[field]) for field in values if field not in _KNOWN)


def _account(chart: ChartValues, key: str, name: str, values: Mapping[str, Any]) -> Iterator[Setting]:
    path = (key, "serviceAccount", "annotations")
    id = ObjectId("", "ServiceAccount", chart.namespace, name)
    for mark, value in mapping(mapping(values.get("serviceAccount")).get("annotations")).items():
        yield Setting(id, SettingKind.METADATA, f"annotations.{mark}", str(value), chart.place((*path, mark)))


def _rendered(chart: ChartValues, key: str, name: str, values: Mapping[str, Any]) -> Iterator[Setting]:
    """The values as facts of the Deployment they render to, so that keys are those of every other method."""
    deployment = object_of(_deployment(name, chart.namespace, values))
    for fact in facts(deployment):
        kind = SettingKind(fact.about.kind)
        path = _path(fact.about.key, kind, values)
        if path is not None:
            yield Setting(deployment.id, kind, fact.about.key, fact.written, chart.place((key, *path)))


def _deployment(name: str, namespace: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
    container = {
        **_given(values, _CONTAINER),
        "name": "manager",
        "args": mapping(values.get("container")).get("additionalArgs") or [],
        "env": values.get("extraEnv") or [],
        "image": _image(name, values),
    }
    pod = {**_given(values, _POD), "containers": [container]}
    template = {"metadata": _given(values, ("annotations", "labels")), "spec": pod}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {**_given(values, ("replicas",)), "template": template},
    }


def _given(values: Mapping[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    return {field: values[field] for field in fields if values.get(field) not in (None, "", {}, [])}


def _image(name: str, values: Mapping[str, Any]) -> str:
    """The image if a value names it or its tag, else none."""
    if not (values.get("image") or values.get("tag")):
        return ""
    return f"{values.get('image') or f'ghcr.io/fluxcd/{name}'}:{values.get('tag') or ''}".rstrip(":")


def _path(key: str, kind: SettingKind, values: Mapping[str, Any]) -> Path | None:
    """Where in a controller's values a fact comes from; None for the fact that the Deployment exists."""
    match kind:
        case SettingKind.COMPONENT:
            return None
        case SettingKind.ARGUMENT | SettingKind.GATE:
            return ("container", "additionalArgs", _index(values, key))
        case SettingKind.METADATA:
            return (*key.removeprefix("template.").split(".", 1),)
        case _ if key == "image" and not values.get("tag"):
            return ("image",)
        case _:
            fixed = _FIXED_PATHS.get(kind)
            return fixed(key) if fixed else (key.removeprefix("container.").partition(".")[0],)


_FIXED_PATHS: Mapping[SettingKind, Callable[[str], Path]] = {
    SettingKind.LIMIT: lambda name: ("resources", "limits", name),
    SettingKind.REQUEST: lambda name: ("resources", "requests", name),
    SettingKind.ENV: lambda _: ("extraEnv",),
    SettingKind.VOLUME: lambda name: ("volumeMounts" if name.startswith("/") else "volumes",),
    SettingKind.IMAGE: lambda name: (name if name == "imagePullPolicy" else "tag",),
}


def _index(values: Mapping[str, Any], key: str) -> int:
    arguments = mapping(values.get("container")).get("additionalArgs") or []
    hits = [index for index, argument in enumerate(arguments) if key in str(argument)]
    return hits[-1] if hits else 0


def _common(chart: ChartValues) -> Iterator[Setting]:
    """Values that concern several controllers, or none."""
    for key in chart.values.keys() - CONTROLLERS.keys() - _ONLY_THE_CHART:
        value = chart.values[key]
        if key in _EVERYWHERE:
            yield from _everywhere(chart, *_EVERYWHERE[key], text(value), (key,))
        elif key in _SWITCHES:
            yield from _SWITCHES[key](chart, mapping(value))
        else:
            yield _unplaced(chart, (key,), value)


def _everywhere(chart: ChartValues, kind: SettingKind, key: str, value: str, path: Path) -> Iterator[Setting]:
    for name in enabled(chart.values):
        yield Setting(ObjectId("apps", "Deployment", chart.namespace, name), kind, key, value, chart.place(path))


def _policies(chart: ChartValues, values: Mapping[str, Any]) -> Iterator[Setting]:
    if values.get("create") is not False:
        return
    for name in ("allow-egress", "allow-scraping", "allow-webhooks"):
        id = ObjectId("networking.k8s.io", "NetworkPolicy", chart.namespace, name)
        yield Setting(id, SettingKind.DELETION, "object", "deleted", chart.place(("policies", "create")))


def _multitenancy(chart: ChartValues, values: Mapping[str, Any]) -> Iterator[Setting]:
    if values.get("enabled") is not True:
        return
    account = str(values.get("defaultServiceAccount") or "default")
    flags = (("--no-cross-namespace-refs", "true", _LOCKED), ("--default-service-account", account, _IMPERSONATING))
    for flag, value, concerned in flags:
        for name in sorted(set(enabled(chart.values)) & concerned):
            target = ObjectId("apps", "Deployment", chart.namespace, name)
            yield Setting(target, SettingKind.ARGUMENT, flag, value, chart.place(("multitenancy", "enabled")))


def _unplaced(chart: ChartValues, path: Path, value: Any) -> Setting:
    """A value that Flux itself has no field for, such as an ingress or a PodMonitor of the chart."""
    key = "values." + ".".join(str(part) for part in path)
    # The content may hold anything, so only what kind of value it is is said.
    written = str(value).lower() if isinstance(value, bool) else type(value).__name__
    return Setting(chart.release, SettingKind.METADATA, key, written, chart.place(path))


_SWITCHES: Mapping[str, Callable[[ChartValues, Mapping[str, Any]], Iterator[Setting]]] = {
    "policies": _policies,
    "multitenancy": _multitenancy,
}
