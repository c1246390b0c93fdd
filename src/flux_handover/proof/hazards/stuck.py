"""Kustomizations that are never ready again, grouped by what they lack: one sign for each missing thing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from flux_handover.model.flux import FluxKustomization
from flux_handover.model.rendering import BuildStatus
from flux_handover.objects import ObjectId, first_names
from flux_handover.proof.exploration import Violation
from flux_handover.proof.hazards.places import place_of
from flux_handover.proof.hazards.registry import Pair, Sign
from flux_handover.proof.reconcile_kustomization import NOT_KNOWN
from flux_handover.proof.reconcile_operator import STALLED
from flux_handover.proof.series import Breach

OF_EDGE = {"V1": "V1", "E12": "B5", "E14": "A4", "E15": "A4", "E17": "O15", "E21": "B14"}
OF_PROPERTY = {"P2": "O4", "P3": "V4", "P5": "O6", "P7": "O10", "P8": "B5"}
READINESS = ("P6", "P9")
SHOWN = 4
UNDECIDED = (f"{STALLED}unknown", NOT_KNOWN)


def broken_property(pair: Pair, code: str) -> Iterator[Sign]:
    """What is broken in some order, and is this hazard; those that lack the same thing are one sign."""
    groups: dict[ObjectId | str, list[Breach]] = defaultdict(list)
    for breach in pair.breaches:
        if not _is_said_elsewhere(breach, pair) and code_of(breach, pair) == code:
            groups[missing_of(breach, pair) or _reason(breach, pair)].append(breach)
    for lacking, breaches in sorted(groups.items(), key=lambda group: str(group[0])):
        ids = sorted({id for breach in breaches for id in breach.violation.ids})
        yield _sign(lacking, ids, breaches[0], pair)


def _sign(lacking: ObjectId | str, ids: list[ObjectId], breach: Breach, pair: Pair) -> Sign:
    edge = f" ({breach.counterexample.edge})" if breach.counterexample.edge else ""
    if isinstance(lacking, str) and len(ids) == 1:
        return Sign(f"{breach.violation.why}{edge}", ids[0], place_of(pair.after, ids[0]))
    said = f"{lacking} is not there and does not come" if isinstance(lacking, ObjectId) else lacking
    count = "1 Kustomization is" if len(ids) == 1 else f"{len(ids)} Kustomizations are"
    message = f"{said}; {count} never ready again: {first_names(ids, SHOWN)}{edge}"
    subject = lacking if isinstance(lacking, ObjectId) else ids[0]
    return Sign(message, subject, place_of(pair.before, subject) or place_of(pair.after, ids[0]))


def code_of(breach: Breach, pair: Pair) -> str:
    """The hazard of a broken property: by what is missing or the edge that names it, else by the property."""
    missing = missing_of(breach, pair)
    if missing is not None:
        return "V1" if missing.kind in ("ConfigMap", "Secret") else "A2"
    return OF_EDGE.get(breach.counterexample.edge) or OF_PROPERTY.get(breach.violation.property, "A2")


def missing_of(breach: Breach, pair: Pair) -> ObjectId | None:
    """What a Kustomization that is never ready lacks: variables, its source, what it depends on.

    One that cannot be built here lacks nothing that is known, even if its reason names its source.
    """
    if breach.violation.property not in READINESS or _is_undecided(breach.violation):
        return None
    for id in breach.violation.ids:
        build = pair.after.cluster.builds.get(id)
        for other in _wanted(build.ks) if build else ():
            if f" {other} " in f" {breach.violation.why} ".replace(",", " ") and other not in pair.after.cluster.builds:
                return other
    return None


def _wanted(ks: FluxKustomization) -> Iterator[ObjectId]:
    yield from ks.required_variables
    yield ks.source
    yield from ks.depends_on


def _reason(breach: Breach, pair: Pair) -> str:
    reasons = (pair.frozen.get(id, "") for id in breach.violation.ids)
    return next((reason for reason in reasons if reason), breach.violation.why)


def _is_said_elsewhere(breach: Breach, pair: Pair) -> bool:
    """A build that fails is a finding of its own, an instance that is not known is undecided, and so is what waits."""
    if breach.violation.property not in READINESS or missing_of(breach, pair) is not None:
        return False
    if _is_undecided(breach.violation) or any(f" {id} " in breach.violation.why for id in _unknown(pair)):
        return True
    return any(_fails(id, pair, frozenset()) for id in breach.violation.ids)


def _unknown(pair: Pair) -> frozenset[ObjectId]:
    """Owners whose content is not known, by what they say of themselves."""
    told = (breach.violation for breach in pair.breaches if _is_undecided(breach.violation))
    return frozenset(id for violation in told for id in violation.ids)


def _is_undecided(violation: Violation) -> bool:
    return any(sign in violation.why for sign in UNDECIDED)


def _fails(id: ObjectId, pair: Pair, seen: frozenset[ObjectId]) -> bool:
    """Whether a build fails that a Kustomization waits for, through others, or its own."""
    build = pair.after.cluster.builds.get(id)
    if build is None or id in seen:
        return False
    return build.status is not BuildStatus.OK or any(
        _fails(other, pair, seen | {id}) or _lacks(other, pair) for other in _awaited(build.ks, pair)
    )


def _awaited(ks: FluxKustomization, pair: Pair) -> frozenset[ObjectId]:
    waits = pair.frozen.get(ks.id, "")
    return frozenset(id for id in (*ks.depends_on, *ks.health_checks) if id in pair.frozen or str(id) in waits)


def _lacks(id: ObjectId, pair: Pair) -> bool:
    """Whether a Kustomization has a finding of its own, about something that is missing."""
    own = (breach for breach in pair.breaches if id in breach.violation.ids)
    return any(missing_of(breach, pair) is not None for breach in own)
