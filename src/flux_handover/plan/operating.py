"""Which operator takes Flux over: the one that is there, the one asked for, else the newest that fits."""

from __future__ import annotations

from itertools import chain

from flux_handover.catalogue.operators import (
    OLDEST_ADOPTING,
    OperatorFacts,
    newest_operator_serving,
    operator,
    operators,
    tagged,
)
from flux_handover.catalogue.versions import is_at_least, number
from flux_handover.errors import UnsupportedInstallation, UsageError
from flux_handover.model.installation import Installation
from flux_handover.model.rendering import Cluster
from flux_handover.plan import present
from flux_handover.plan.present import Present

_NO_OPT_OUT = "older ones set no opt-out that kustomize-controller honours"


def operator_for(installation: Installation, cluster: Cluster, asked: str | None, where: str) -> OperatorFacts:
    """The facts of the operator; raises UnsupportedInstallation or UsageError where none can take over.

    `asked` is what the user wants; `where` the place of the version of Flux, for refusals. One that is live
    already is kept (rules.md R11, R14): it adopts Flux as soon as a FluxInstance is there, whatever we had chosen.
    """
    found = present.operator_release(cluster)
    if found is not None:
        return _running(installation, found, present.chart_version(found.object, cluster), asked)
    if asked is not None:
        return _asked(installation, asked, where)
    newest = newest_operator_serving(installation.version)
    if newest is None:
        raise UnsupportedInstallation(
            f"no operator whose charts are known serves Flux {installation.version}",
            where=where,
            hint=_way_out(installation.version),
        )
    return operator(newest)


def _running(installation: Installation, found: Present, version: str, asked: str | None) -> OperatorFacts:
    where = str(found.owner.where or found.object.id)
    fitting = newest_operator_serving(installation.version) or OLDEST_ADOPTING
    if asked is not None and tagged(asked) != tagged(version):
        raise UsageError(
            f"operator {version or 'of no exact version'} is there already, {tagged(asked)} is asked for",
            where=where,
            hint="leave --operator-version out, or upgrade the operator in a commit of its own first",
        )
    if tagged(version) not in operators():
        raise UnsupportedInstallation(
            f"the operator is there already, and nothing is known about its version {version or '(none is written)'}",
            where=where,
            hint=f"write an exact version there, {fitting} for example, in a commit of its own first",
        )
    facts = operator(version)
    if not is_at_least(facts.version, OLDEST_ADOPTING):
        raise UnsupportedInstallation(
            f"the operator is there already, and {facts.version} does not protect what it adopts",
            where=where,
            hint=f"upgrade it to {fitting} in a commit of its own first: {_NO_OPT_OUT}",
        )
    if installation.version not in facts.flux_versions:
        raise UnsupportedInstallation(
            f"the operator is there already, and {facts.version} does not serve Flux {installation.version}",
            where=where,
            hint=f"upgrade it to {fitting} in a commit of its own first",
        )
    return facts


def _asked(installation: Installation, asked: str, where: str) -> OperatorFacts:
    if tagged(asked) not in operators():
        raise UsageError(f"nothing is known about operator {asked}", hint=f"known are {', '.join(operators()[-8:])}")
    facts = operator(asked)
    if not is_at_least(facts.version, OLDEST_ADOPTING):
        raise UsageError(
            f"operator {facts.version} does not protect what it adopts",
            hint=f"use {OLDEST_ADOPTING} or newer: {_NO_OPT_OUT}",
        )
    fitting = newest_operator_serving(installation.version)
    if installation.version not in facts.flux_versions:
        raise UnsupportedInstallation(
            f"operator {facts.version} does not serve Flux {installation.version}",
            where=where,
            hint=f"leave --operator-version out: {fitting} serves it" if fitting else _way_out(installation.version),
        )
    return facts


def _way_out(version: str) -> str:
    """The smallest change that lifts a refusal; never a step back to an older minor."""
    serving = [one for one in _adopting() if version in operator(one).flux_versions]
    if serving:
        return f"name {serving[-1]} with --operator-version: it serves {version}, but its charts are not known here"
    served = chain.from_iterable(operator(one).flux_versions for one in _adopting())
    nearest = _nearest(version, tuple(served))
    if nearest is None:
        return "use a newer release of this program"
    return f"move to {nearest} with the old installer first"


def _nearest(version: str, served: tuple[str, ...]) -> str | None:
    """The served patch of the same minor that is closest, else the oldest that is newer."""
    wanted = number(version)
    same = [one for one in served if number(one)[:2] == wanted[:2]]
    if same:
        return min(same, key=lambda one: (abs(number(one)[2] - wanted[2]), number(one)))
    return min((one for one in served if number(one) > wanted), key=number, default=None)


def _adopting() -> tuple[str, ...]:
    return tuple(version for version in operators() if is_at_least(version, OLDEST_ADOPTING))
