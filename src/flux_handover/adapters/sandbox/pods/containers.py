"""What a container's environment and arguments are, as the kubelet resolves them.

Only what a Flux controller or the operator uses: plain values, fields of the pod, limits, keys of
ConfigMaps and Secrets. A required reference that is absent stops the container, as it does in a
cluster.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from flux_handover.objects import ObjectId, listed, mapping

Manifest = Mapping[str, Any]
Lookup = Callable[[ObjectId], Manifest | None]
REFERENCE = re.compile(r"\$(\$\([A-Za-z_][A-Za-z0-9_.-]*\)|\([A-Za-z_][A-Za-z0-9_.-]*\))")
BYTES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


class MissingReference(Exception):
    """A ConfigMap, Secret or key that a container requires does not exist."""


def program_of(pod: Manifest) -> str:
    """The last part of the first container's image, without tag and digest: what we know programs by."""
    image = str(main_container(pod).get("image", ""))
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def main_container(pod: Manifest) -> Manifest:
    """The first container of a pod."""
    containers = mapping(pod.get("spec")).get("containers") or [{}]
    return mapping(containers[0])


def environment_of(pod: Manifest, lookup: Lookup) -> Mapping[str, str]:
    """The environment that the pod's first container declares; later entries win."""
    container = main_container(pod)
    found: dict[str, str] = {}
    for source in listed(container.get("envFrom")):
        found.update(whole_source(mapping(source), pod, lookup))
    for entry in listed(container.get("env")):
        if "value" in entry:
            found[entry["name"]] = expanded(str(entry["value"]), found)
        elif (value := referred(mapping(entry.get("valueFrom")), pod, lookup)) is not None:
            found[entry["name"]] = value
    return found


def arguments_of(pod: Manifest, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The arguments of the pod's first container, with `$(NAME)` replaced."""
    return tuple(expanded(str(argument), environment) for argument in main_container(pod).get("args") or ())


def expanded(text: str, environment: Mapping[str, str]) -> str:
    """`$(NAME)` replaced where the name is known; `$$(NAME)` says `$(NAME)` itself."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        return name if name.startswith("$") else environment.get(name[1:-1], match[0])

    return REFERENCE.sub(value, text)


def referred(source: Manifest, pod: Manifest, lookup: Lookup) -> str | None:
    """The value that a `valueFrom` names, None where an optional one is absent."""
    if "fieldRef" in source:
        return field_of(pod, str(source["fieldRef"].get("fieldPath", "")))
    if "resourceFieldRef" in source:
        return limit_of(main_container(pod), mapping(source["resourceFieldRef"]))
    for kind, key in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
        if key in source:
            return key_of(kind, mapping(source[key]), pod, lookup)
    return None


def field_of(pod: Manifest, path: str) -> str:
    """A field of the pod that the downward API offers."""
    metadata, spec = mapping(pod.get("metadata")), mapping(pod.get("spec"))
    fields = {
        "metadata.name": metadata.get("name"),
        "metadata.namespace": metadata.get("namespace"),
        "metadata.uid": metadata.get("uid"),
        "spec.nodeName": spec.get("nodeName"),
        "spec.serviceAccountName": spec.get("serviceAccountName"),
        "status.podIP": "127.0.0.1",
        "status.hostIP": "127.0.0.1",
    }
    return str(fields.get(path) or "")


def limit_of(container: Manifest, source: Manifest) -> str:
    """A limit in the unit of its divisor, rounded up; the machine's own where there is none."""
    section, _, name = str(source.get("resource", "")).partition(".")
    quantity = mapping(mapping(container.get("resources")).get(section)).get(name)
    if quantity is None:
        return ""
    divisor = str(source.get("divisor") or "1")
    return str(math.ceil(amount(str(quantity)) / amount("1" if divisor == "0" else divisor)))


def amount(quantity: str) -> float:
    """A Kubernetes quantity as a number of cores or bytes."""
    number = quantity.rstrip("".join(BYTES) + "m")
    unit = quantity[len(number) :]
    return float(number) / 1000 if unit == "m" else float(number) * BYTES[unit]


def key_of(kind: str, source: Manifest, pod: Manifest, lookup: Lookup) -> str | None:
    """One key of a ConfigMap or Secret of the pod's namespace."""
    entries = entries_of(kind, source, pod, lookup)
    key = str(source.get("key", ""))
    if key in entries:
        return entries[key]
    if source.get("optional"):
        return None
    raise MissingReference(f"{kind} {source.get('name')} lacks a key")


def whole_source(source: Manifest, pod: Manifest, lookup: Lookup) -> Mapping[str, str]:
    """All keys of the ConfigMap or Secret that an `envFrom` entry names, with its prefix."""
    prefix = str(source.get("prefix") or "")
    for kind, key in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
        if key in source:
            found = entries_of(kind, mapping(source[key]), pod, lookup)
            return {prefix + name: value for name, value in found.items()}
    return {}


def entries_of(kind: str, source: Manifest, pod: Manifest, lookup: Lookup) -> Mapping[str, str]:
    """The content of a ConfigMap or Secret; empty where an optional one is absent."""
    namespace = str(mapping(pod.get("metadata")).get("namespace", ""))
    found = lookup(ObjectId("", kind, namespace, str(source.get("name", ""))))
    if found is None:
        if source.get("optional"):
            return {}
        raise MissingReference(f"{kind} {source.get('name')} does not exist")
    content = mapping(found.get("data"))
    if kind == "ConfigMap":
        return {name: str(value) for name, value in content.items()}
    return {name: base64.b64decode(value).decode(errors="replace") for name, value in content.items()}
