"""Settings that no patch of the installation makes: those that `flux bootstrap` or a field of a list wrote.

`--log-level`, `--toleration-keys` or `replicas:` stand in the manifests themselves once they are built.
Each becomes a patch with the value that the cluster has; what no patch can say is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from flux_handover.catalogue.manifests import REGISTRY
from flux_handover.documents import Document
from flux_handover.errors import UnsupportedInstallation
from flux_handover.model.effective_arguments import GATES
from flux_handover.model.installation import Installation, Method, Setting, SettingKind
from flux_handover.objects import Object, ObjectId, mapping
from flux_handover.plan.kept import OPERATOR_MARKS, cluster_fields, registry
from flux_handover.plan.listings import documents_of
from flux_handover.plan.manifests import text_of
from flux_handover.plan.selectors import by_name
from flux_handover.plan.target import CarriedPatch
from flux_handover.tree import Tree
from flux_handover.workloads import main_container, pod_of

_KEPT = (SettingKind.COMPONENT, SettingKind.SYNC)
"""Kept by fields of the FluxInstance, or by the strategy for source and root."""

_FIELDS = ("replicas", "images", "labels", "commonAnnotations")
_ADDRESSES = ("--events-addr", "--storage-adv-addr")
_MANY = 1_000_000
_FLAGS = (SettingKind.ARGUMENT, SettingKind.GATE)
_NAMED_PULL_SECRET = "imagePullSecrets"


def written_patches(installation: Installation, tree: Tree) -> tuple[CarriedPatch, ...]:
    """A patch for each such setting; the same for several controllers is one patch."""
    found: dict[tuple[str, str], list[Setting]] = {}
    for setting in _written(installation, tree):
        found.setdefault(_patched(setting, installation), []).append(setting)
    return tuple(_carried(kind, text, settings) for (kind, text), settings in found.items())


def shared_metadata(installation: Installation) -> Mapping[str, Mapping[str, str]]:
    """Labels and annotations that a list gave to every object of Flux: `spec.commonMetadata`."""
    found: dict[str, dict[str, str]] = {}
    settings = installation.settings if installation.method is Method.BOOTSTRAP else ()
    for setting in (one for one in settings if one.kind is SettingKind.METADATA and one.value):
        field, _, key = setting.key.partition(".")
        if key not in OPERATOR_MARKS and all(
            _mark(object, field, key) == setting.value for object in installation.live
        ):
            found.setdefault(field, {})[key] = setting.value
    return found


def _mark(object: Object, field: str, key: str) -> str:
    return str(mapping(mapping(object.data.get("metadata")).get(field)).get(key, ""))


def _written(installation: Installation, tree: Tree) -> tuple[Setting, ...]:
    """The settings of the manifests themselves that a patch has to carry."""
    if installation.method is not Method.BOOTSTRAP:
        return ()
    patched = {(patch.where.file, patch.where.line) for patch in installation.patches}
    shared = shared_metadata(installation)
    return tuple(
        setting
        for setting in installation.settings
        if setting.kind not in _KEPT
        and (setting.where.file, setting.where.line) not in patched
        and _is_in_manifests(setting, installation, tree)
        and not _by_registry(setting, installation)
        and not _by_domain(setting, installation)
        and not _is_shared(setting, shared)
        and not _by_policy_field(setting, installation)
    )


def _is_in_manifests(setting: Setting, installation: Installation, tree: Tree) -> bool:
    """Whether it stands in a file without patches, or under a field of the list that has them."""
    file = setting.where.file
    if file not in {patch.where.file for patch in installation.patches}:
        return file in installation.files
    return any(
        setting.where.line in _lines(document, field) for document in documents_of(tree, file) for field in _FIELDS
    )


def _lines(document: Document, field: str) -> range:
    """The lines of a field of a document."""
    if field not in document.mapping:
        return range(0)
    first = document.line_of(field)
    later = [line for key in document.mapping if (line := document.line_of(key)) > first]
    return range(first, min(later, default=first + _MANY))


def _by_domain(setting: Setting, installation: Installation) -> bool:
    """Whether the argument differs by the domain of the cluster only, which is a field."""
    domain = cluster_fields(installation, False).get("domain")
    return bool(domain) and f".svc.{domain}" in setting.value and setting.key in _ADDRESSES


def _is_shared(setting: Setting, shared: Mapping[str, Mapping[str, str]]) -> bool:
    field, _, key = setting.key.partition(".")
    return setting.kind is SettingKind.METADATA and shared.get(field, {}).get(key) == setting.value


def _by_policy_field(setting: Setting, installation: Installation) -> bool:
    """Whether it is a network policy that is missing with all others, for which there is a field."""
    is_policy = setting.kind is SettingKind.DELETION and setting.target.kind == "NetworkPolicy"
    return is_policy and not any(object.id.kind == "NetworkPolicy" for object in installation.live)


def _by_registry(setting: Setting, installation: Installation) -> bool:
    """Whether the image is the usual one, from the registry that the FluxInstance names."""
    if setting.kind is not SettingKind.IMAGE or setting.key != "image":
        return False
    usual = next((image for image in _images(installation.plain, setting.target)), "")
    return setting.value == usual.replace(f"{REGISTRY}/", f"{registry(installation)}/", 1)


def _images(objects: Iterable[Object], id: ObjectId) -> Iterator[str]:
    for object in objects:
        if object.id == id:
            yield str(main_container(object).get("image", ""))


def _patched(setting: Setting, installation: Installation) -> tuple[str, str]:
    """The kind of a patch's target and its text; raises UnsupportedInstallation for what none can say."""
    if setting.kind is SettingKind.DELETION:
        return setting.target.kind, _deletion(setting.target)
    object = installation.find(setting.target)
    if object is None or object.id.kind != "Deployment" or not setting.value:
        raise _refused(setting)
    if setting.kind in _FLAGS:
        return object.id.kind, text_of([_appended(_flag(setting))])
    template = _template(setting, object)
    if template is None:
        raise _refused(setting)
    return object.id.kind, text_of(
        {"apiVersion": object.api_version, "kind": object.id.kind, "metadata": {"name": "any"}, "spec": template}
    )


def _deletion(id: ObjectId) -> str:
    """An object of the distribution that the manifests lack."""
    version = f"{id.group}/v1" if id.group else "v1"
    return text_of({"$patch": "delete", "apiVersion": version, "kind": id.kind, "metadata": {"name": "any"}})


def _flag(setting: Setting) -> str:
    return (
        f"{GATES}={setting.key}={setting.value}"
        if setting.kind is SettingKind.GATE
        else f"{setting.key}={setting.value}"
    )


def _appended(value: str) -> Mapping[str, Any]:
    """The last occurrence of a flag counts, so that appending is setting."""
    return {"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": value}


def _template(setting: Setting, object: Object) -> dict[str, Any] | None:
    """The part of a Deployment's spec that says what the live one does."""
    container, pod = main_container(object), pod_of(object)
    match setting.kind:
        case SettingKind.LIMIT | SettingKind.REQUEST:
            field = "limits" if setting.kind is SettingKind.LIMIT else "requests"
            value = mapping(mapping(container.get("resources")).get(field)).get(setting.key)
            return _of_container(container, {"resources": {field: {setting.key: value}}}) if value else None
        case SettingKind.IMAGE if setting.key == "image":
            return _of_container(container, {"image": container.get("image")})
        case SettingKind.IMAGE if setting.key == _NAMED_PULL_SECRET:
            return {"template": {"spec": {_NAMED_PULL_SECRET: pod.get(_NAMED_PULL_SECRET)}}}
        case SettingKind.METADATA if setting.key.startswith("template."):
            _, field, key = setting.key.split(".", 2)
            return {"template": {"metadata": {field: {key: setting.value}}}}
        case SettingKind.SCHEDULING if setting.key in object.spec:
            return {setting.key: object.spec[setting.key]}
        case SettingKind.SCHEDULING if setting.key.partition(".")[0] in pod:
            field = setting.key.partition(".")[0]
            return {"template": {"spec": {field: pod[field]}}}
        case _:
            return None


def _of_container(container: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"template": {"spec": {"containers": [{"name": container.get("name"), **fields}]}}}


def _carried(kind: str, text: str, settings: list[Setting]) -> CarriedPatch:
    target = by_name(kind, {setting.target.name for setting in settings})
    changed = "it is written into the manifests, not as a patch"
    return CarriedPatch(text, target, settings[0].where, changed=changed)


def _refused(setting: Setting) -> UnsupportedInstallation:
    said = f"{setting.key} {setting.value}" if setting.value else f"the removal of {setting.key}"
    return UnsupportedInstallation(
        f"{said} of {setting.target} is written into Flux's own manifests",
        where=str(setting.where),
        hint="write it as a patch in the kustomization.yaml beside it, and plan again",
    )
