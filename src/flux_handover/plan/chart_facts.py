"""A chart whose facts are not known here: what the proof takes for true instead, and how to see it (contract K15)."""

from __future__ import annotations

from flux_handover.catalogue.operators import charts_like
from flux_handover.plan.phases import Gate
from flux_handover.plan.target import InstanceForm, Release, Target


def chart_gates(target: Target) -> tuple[Gate, ...]:
    """One gate for each chart that was not read: it still takes the values that the plan writes."""
    known = charts_like(target.operator_version)
    if known == target.operator_version:
        return ()
    releases = (target.operator, *((target.instance,) if target.form is InstanceForm.HELMRELEASE else ()))
    return tuple(_gate(release, known) for release in releases)


def _gate(release: Release, known: str) -> Gate:
    """A person compares the values of two versions; the command reads the registry, not the cluster."""
    values = f"helm show values {release.chart} --version"
    return Gate(
        id=f"chart-{release.name}",
        object=None,
        condition=f"the chart {release.name} {release.version} renders what that of {known} does",
        command=f"diff <({values} {known.removeprefix('v')}) <({values} {release.version})",
        expect=f"nothing removed or renamed among {', '.join(_names(release))}",
        why=f"the facts of this chart are not in the catalogue; the proof used those of {known}",
    )


def _names(release: Release) -> tuple[str, ...]:
    """The values that the plan writes, two levels deep."""
    names = []
    for key, value in release.values.items():
        names += [f"{key}.{below}" for below in value] if isinstance(value, dict) and key == "instance" else [key]
    return tuple(names)
