"""What each version of the Flux Operator serves, does and understands.

Flux versions and fields are read from its releases; the marks of behaviour are those of
semantics sections 3 and 8. An operator whose chart values are not known is never offered by
default: what it would render cannot be proved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from flux_handover.catalogue.archive import entry
from flux_handover.catalogue.fields import FieldTree, tree_of, with_defaults
from flux_handover.catalogue.schemas import whole_object
from flux_handover.catalogue.versions import is_at_least, number

ARCHIVE = "operators.zip"
CHARTS = ("flux-operator", "flux-instance")
OLDEST_ADOPTING = "v0.28.0"
"""Below it the operator stamps no opt-out that an older kustomize-controller honours (rule R11)."""


@dataclass(frozen=True, slots=True)
class OperatorFacts:
    """One release; `flux_versions` are the distributions embedded in its image, oldest first.

    `charts_from` names the repository whose copy the facts of its charts are from; empty for the charts' own.
    """

    version: str
    flux_versions: tuple[str, ...]
    has_known_charts: bool
    charts_from: str
    stamps_prune_opt_out: bool
    decides_workload_identity: bool
    waits_for_crds: bool
    migrates_on_minor_upgrade: bool
    has_exact_takeover_list: bool
    has_override_manager: bool
    opens_web_port: bool
    serves_embedded_minors_only: bool


@cache
def operators() -> tuple[str, ...]:
    """Operator versions whose facts are known, oldest first."""
    return tuple(sorted(_index(), key=number))


@cache
def operator(version: str) -> OperatorFacts:
    """Facts of an operator version, written with or without `v`; raises KeyError where it is not known."""
    tag = tagged(version)
    release = _index()[tag]
    return OperatorFacts(
        version=tag,
        flux_versions=tuple(sorted(release["flux"], key=number)),
        has_known_charts=all(chart in release["charts"] for chart in CHARTS),
        charts_from=release.get("copied", ""),
        stamps_prune_opt_out=is_at_least(tag, "v0.28.0"),
        decides_workload_identity=is_at_least(tag, "v0.29.0"),
        waits_for_crds=is_at_least(tag, "v0.30.0"),
        migrates_on_minor_upgrade=is_at_least(tag, "v0.31.0"),
        has_exact_takeover_list=is_at_least(tag, "v0.26.0"),
        has_override_manager=is_at_least(tag, "v0.39.0"),
        opens_web_port=is_at_least(tag, "v0.36.0"),
        serves_embedded_minors_only=is_at_least(tag, "v0.54.0"),
    )


@cache
def newest_operator_serving(flux_version: str) -> str | None:
    """The newest operator that embeds a Flux version, may adopt it, and whose chart values are known."""
    fitting = (
        version
        for version in reversed(operators())
        if flux_version in operator(version).flux_versions
        and operator(version).has_known_charts
        and is_at_least(version, OLDEST_ADOPTING)
    )
    return next(fitting, None)


@cache
def charts_like(version: str) -> str:
    """The operator version whose chart facts stand for another's: its own, else the newest older one that is known."""
    known = [one for one in operators() if operator(one).has_known_charts]
    older = [one for one in known if number(one) <= number(tagged(version))]
    return older[-1] if older else known[0]


@cache
def operator_schema(version: str, kind: str, api_version: str = "v1") -> FieldTree | None:
    """The tree of one of the operator's kinds as that version has it; None where it does not serve it."""
    name = _index()[tagged(version)]["kinds"].get(kind)
    schema = entry(ARCHIVE, name).get(api_version) if name else None
    return whole_object(tree_of(schema)) if schema else None


def instance_defaults(instance: Mapping[str, Any], version: str) -> Mapping[str, Any]:
    """A FluxInstance as the API server stores it, with the defaults of its CRD (contract K14).

    The operator's own CLI does not apply them: without them `cluster: {}` renders no network policies.
    """
    schema = operator_schema(version, "FluxInstance")
    defaulted: Mapping[str, Any] = with_defaults(schema, instance) if schema else instance
    return defaulted


def tagged(version: str) -> str:
    """`0.32.0` and `v0.32.0` as the tag `v0.32.0`."""
    return version if version.startswith("v") else f"v{version}"


def chart_entry(chart: str, version: str) -> Mapping[str, Any]:
    """Facts of a chart; raises KeyError where they are not known."""
    facts: Mapping[str, Any] = entry(ARCHIVE, _index()[tagged(version)]["charts"][chart])
    return facts


@cache
def _index() -> Mapping[str, Any]:
    index: Mapping[str, Any] = entry(ARCHIVE, "operators.json")
    return index
