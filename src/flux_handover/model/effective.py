"""What a set of Flux objects amounts to: each setting by target, kind and key, in one spelling.

The proof compares these facts, not manifests: the order of arguments that do not repeat,
`2000m` for `2` or a rule split in two are the same installation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flux_handover.model.effective_arguments import effective_flags, effective_gates
from flux_handover.model.effective_values import duration, image, quantity, text
from flux_handover.model.flux import is_kind, is_source
from flux_handover.model.installation import SettingKind
from flux_handover.objects import KUSTOMIZE_GROUP, Object, ObjectId, listed, mapping, mappings, texts
from flux_handover.workloads import containers_of, main_container

RBAC_GROUP = "rbac.authorization.k8s.io"
PRESENT = "object"
"""The key of the fact that an object exists."""

_HANDLED_METADATA = ("labels", "annotations")
_IDENTITY = frozenset({"apiVersion", "kind", "metadata", "status"})
_POD_FIELDS = frozenset(
    {"containers", "initContainers", "volumes", "imagePullSecrets", "nodeSelector", "serviceAccount"}
)
_CONTAINER_FIELDS = frozenset({"name", "args", "env", "image", "imagePullPolicy", "resources", "volumeMounts"})
_NOTHING: tuple[Any, ...] = (None, {}, [])
_GENERIC_KIND = {
    "NetworkPolicy": SettingKind.RULE,
    "CustomResourceDefinition": SettingKind.RULE,
    "ResourceQuota": SettingKind.LIMIT,
    "PersistentVolumeClaim": SettingKind.VOLUME,
    "ServiceAccount": SettingKind.RULE,
}


@dataclass(frozen=True, slots=True, order=True)
class FactKey:
    """What a fact is about; the kind by its contract name, so that keys sort."""

    target: ObjectId
    kind: str
    key: str


@dataclass(frozen=True, slots=True)
class Fact:
    """One effective value: `written` as in the manifest, `value` in the spelling that is compared."""

    about: FactKey
    written: str
    value: str


def effective(objects: Iterable[Object]) -> Mapping[FactKey, Fact]:
    """Every fact of the objects; objects of one id count once, the last one."""
    return {fact.about: fact for object in objects for fact in facts(object)}


def facts(object: Object) -> Iterator[Fact]:
    """The facts of one object, the first one that it exists."""
    yield _fact(object.id, SettingKind.COMPONENT if is_controller(object) else SettingKind.DELETION, PRESENT, "present")
    yield from _marks(object.id, object.data, "")
    yield from _content(object)


def _content(object: Object) -> Iterator[Fact]:
    """What the fields say that the object's kind gives a meaning."""
    if object.id.kind in ("Deployment", "StatefulSet", "DaemonSet"):
        yield from _workload(object)
    elif object.id.group == RBAC_GROUP:
        yield from _access(object)
    elif is_kind(object, KUSTOMIZE_GROUP, "Kustomization") or is_source(object):
        yield from _leaves(object.id, SettingKind.SYNC, "spec", object.spec)
    else:
        yield from _generic(object)


def is_controller(object: Object) -> bool:
    """Whether the object runs a controller."""
    return object.id.kind in ("Deployment", "StatefulSet") and object.id.group == "apps"


def _fact(target: ObjectId, kind: SettingKind, key: str, written: Any, value: str | None = None) -> Fact:
    as_text = text(written)
    return Fact(FactKey(target, kind.value, key), as_text, as_text if value is None else value)


def _marks(target: ObjectId, holder: Mapping[str, Any], prefix: str) -> Iterator[Fact]:
    metadata = mapping(holder.get("metadata"))
    for field in _HANDLED_METADATA:
        for key, value in mapping(metadata.get(field)).items():
            yield _fact(target, SettingKind.METADATA, f"{prefix}{field}.{key}", value)


def _workload(object: Object) -> Iterator[Fact]:
    template = mapping(object.spec.get("template"))
    yield from _marks(object.id, template, "template.")
    yield from _fields(object.id, SettingKind.SCHEDULING, object.spec, frozenset({"template", "selector"}))
    pod = mapping(template.get("spec"))
    yield from _pod(object.id, pod)
    main = main_container(object)
    for container in containers_of(object):
        yield from _container(object.id, container, "" if container is main else f"{container.get('name')}:")
    for container in mappings(pod.get("initContainers")):
        yield _fact(object.id, SettingKind.SCHEDULING, f"initContainers.{container.get('name')}", container)


def _pod(target: ObjectId, pod: Mapping[str, Any]) -> Iterator[Fact]:
    yield from _fields(target, SettingKind.SCHEDULING, pod, _POD_FIELDS)
    for key, value in mapping(pod.get("nodeSelector")).items():
        yield _fact(target, SettingKind.SCHEDULING, f"nodeSelector.{key}", value)
    if pod.get("imagePullSecrets"):
        yield _fact(target, SettingKind.IMAGE, "imagePullSecrets", pod["imagePullSecrets"])
    for volume in mappings(pod.get("volumes")):
        source = {key: value for key, value in volume.items() if key != "name"}
        yield _fact(target, SettingKind.VOLUME, str(volume.get("name")), source)


def _container(target: ObjectId, container: Mapping[str, Any], prefix: str) -> Iterator[Fact]:
    yield from _arguments(target, container.get("args"), prefix)
    yield from _resources(target, mapping(container.get("resources")), prefix)
    yield from _environment(target, container, prefix)
    yield from _image(target, container, prefix)
    yield from _fields(target, SettingKind.SCHEDULING, container, _CONTAINER_FIELDS, f"{prefix}container.")
    for mount in mappings(container.get("volumeMounts")):
        source = {key: value for key, value in mount.items() if key != "mountPath"}
        yield _fact(target, SettingKind.VOLUME, f"{prefix}{mount.get('mountPath')}", source)


def _arguments(target: ObjectId, arguments: Any, prefix: str) -> Iterator[Fact]:
    words = listed(arguments)
    for name, value in effective_flags(words).items():
        own = value.replace("$(RUNTIME_NAMESPACE)", target.namespace)
        yield _fact(target, SettingKind.ARGUMENT, prefix + name, value, duration(own))
    for name, value in effective_gates(words).items():
        yield _fact(target, SettingKind.GATE, prefix + name, value)


def _resources(target: ObjectId, resources: Mapping[str, Any], prefix: str) -> Iterator[Fact]:
    for field, kind in (("limits", SettingKind.LIMIT), ("requests", SettingKind.REQUEST)):
        for name, value in mapping(resources.get(field)).items():
            yield _fact(target, kind, prefix + str(name), value, quantity(text(value)))


def _environment(target: ObjectId, container: Mapping[str, Any], prefix: str) -> Iterator[Fact]:
    for variable in mappings(container.get("env")):
        source = variable.get("value", variable.get("valueFrom"))
        yield _fact(target, SettingKind.ENV, f"{prefix}{variable.get('name')}", source, text(_without_defaults(source)))
    if container.get("envFrom"):
        yield _fact(target, SettingKind.ENV, f"{prefix}envFrom", container["envFrom"])


def _without_defaults(source: Any) -> Any:
    """A field reference without what the API server fills in: apiVersion `v1`, divisor `0`."""
    if not isinstance(source, Mapping):
        return source
    filled = {"apiVersion": "v1", "divisor": "0"}
    return {k: _without_defaults(v) for k, v in source.items() if filled.get(k) != text(v)}


def _image(target: ObjectId, container: Mapping[str, Any], prefix: str) -> Iterator[Fact]:
    if container.get("image"):
        name = str(container["image"])
        yield _fact(target, SettingKind.IMAGE, f"{prefix}image", name, image(name))
    if container.get("imagePullPolicy"):
        yield _fact(target, SettingKind.IMAGE, f"{prefix}imagePullPolicy", container["imagePullPolicy"])


def _access(object: Object) -> Iterator[Fact]:
    """Roles by what they allow, verb by verb, so that splitting or sorting rules changes nothing."""
    for resource, verbs in _granted(object).items():
        yield _fact(object.id, SettingKind.RULE, resource, ",".join(sorted(verbs)))
    bound = {field: object.data[field] for field in ("roleRef", "aggregationRule") if object.data.get(field)}
    yield from _fields(object.id, SettingKind.RULE, bound, frozenset())
    for subject in mappings(object.data.get("subjects")):
        name = f"{subject.get('kind')}/{subject.get('namespace', '')}/{subject.get('name')}"
        yield _fact(object.id, SettingKind.RULE, f"subjects.{name}", "bound")


def _granted(object: Object) -> Mapping[str, set[str]]:
    granted: dict[str, set[str]] = {}
    for rule in mappings(object.data.get("rules")):
        for resource in _rule_resources(rule):
            granted.setdefault(resource, set()).update(texts(rule.get("verbs")))
    return granted


def _rule_resources(rule: Mapping[str, Any]) -> Iterator[str]:
    names = "".join(f"[{name}]" for name in texts(rule.get("resourceNames")))
    for group in texts(rule.get("apiGroups")):
        yield from (f"{group}/{resource}{names}" for resource in texts(rule.get("resources")))
    yield from texts(rule.get("nonResourceURLs"))


def _generic(object: Object) -> Iterator[Fact]:
    kind = _GENERIC_KIND.get(object.id.kind, SettingKind.METADATA)
    for field, value in object.data.items():
        if field in _IDENTITY:
            continue
        pull = object.id.kind == "ServiceAccount" and field == "imagePullSecrets"
        yield from _leaves(object.id, SettingKind.IMAGE if pull else kind, field, value)


def _fields(
    target: ObjectId, kind: SettingKind, holder: Mapping[str, Any], skipped: frozenset[str], prefix: str = ""
) -> Iterator[Fact]:
    for field, value in holder.items():
        if field not in skipped and value not in _NOTHING:
            yield _fact(target, kind, prefix + field, value)


def _leaves(target: ObjectId, kind: SettingKind, path: str, value: Any) -> Iterator[Fact]:
    """Every scalar below a field by its path; lists of named entries by name, lists of words by word."""
    match value:
        case Mapping():
            for key, below in value.items():
                if not _is_prose(target, key, below):
                    yield from _leaves(target, kind, f"{path}.{key}", below)
        case list():
            yield from _list_leaves(target, kind, path, value)
        case None:
            pass
        case False if kind is SettingKind.SYNC and path != "spec.prune":
            pass  # Off is what the API makes of an absent field.
        case _ if kind is SettingKind.SYNC:
            # The operator spells durations anew, and kustomize strips the end of a patch.
            yield _fact(target, kind, path, value, duration(text(value).rstrip("\n")))
        case _:
            yield _fact(target, kind, path, value)


def _list_leaves(target: ObjectId, kind: SettingKind, path: str, entries: list[Any]) -> Iterator[Fact]:
    if all(mapping(entry).get("name") for entry in entries):
        for entry in entries:
            yield from _leaves(target, kind, f"{path}[{entry['name']}]", _without_name(entry))
    elif path.endswith(".enum"):
        yield from (_fact(target, kind, f"{path}[{text(entry)}]", "allowed") for entry in entries)
    else:
        yield _fact(target, kind, path, entries)


def _is_prose(target: ObjectId, key: str, value: Any) -> bool:
    """Whether a field only explains: a schema's descriptions change nothing."""
    return key == "description" and isinstance(value, str) and target.kind == "CustomResourceDefinition"


def _without_name(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: value for key, value in entry.items() if key != "name"}
