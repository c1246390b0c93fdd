"""Kustomizations that are never ready again, grouped by what they lack: one sign for each missing thing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from flux_handover.model.rendering import BuildStatus
from flux_handover.objects import ObjectId, names
from flux_handover.proof.hazards.places import place_of
from flux_handover.proof.hazards.registry import Pair, Sign
from flux_handover.proof.reconcile_operator import STALLED
from flux_handover.proof.series import Breach

OF_EDGE = {"V1": "V1", "E12": "B5", "E14": "A4", "E15": "A4", "E17": "O15", "E21": "B14"}
OF_PROPERTY = {"P2": "O4", "P3": "V4", "P5": "O6", "P7": "O10", "P8": "B5", "P9": "A2"}
SHOWN = 4
UNKNOWN = f"{STALLED}unknown"


def broken_property(pair: Pair, code: str) -> Iterator[Sign]:
    """What is broken in some order, and is this hazard; those that lack the same thing are one sign."""
    groups: dict[str, list[Breach]] = defaultdict(list)
    for breach in pair.breaches:
        if code_of(breach, pair) == code and not _is_said_elsewhere(breach, pair):
            groups[_reason(breach, pair)].append(breach)
    for reason, breaches in sorted(groups.items()):
        ids = sorted({id for breach in breaches for id in breach.violation.ids})
        yield _sign(reason, ids, breaches[0], pair)


def _sign(reason: str, ids: list[ObjectId], breach: Breach, pair: Pair) -> Sign:
    edge = f" ({breach.counterexample.edge})" if breach.counterexample.edge else ""
    if breach.violation.property != "P9" or len(ids) == 1:
        return Sign(f"{breach.violation.why}{edge}", ids[0], place_of(pair.after, ids[0]))
    more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    message = f"{reason}; {len(ids)} Kustomizations are never ready again: {names(ids[:SHOWN])}{more}{edge}"
    missing = missing_of(ids[0], pair)
    return Sign(message, missing or ids[0], place_of(pair.before, missing) if missing else None)


def code_of(breach: Breach, pair: Pair) -> str:
    """The hazard of a broken property: by what is missing or the edge that names it, else by the property."""
    if breach.violation.property == "P9" and any(missing_of(id, pair) for id in breach.violation.ids):
        return "V1"
    return OF_EDGE.get(breach.counterexample.edge) or OF_PROPERTY.get(breach.violation.property, "A2")


def missing_of(id: ObjectId, pair: Pair) -> ObjectId | None:
    """The variables that keep a Kustomization from being ready."""
    build = pair.after.cluster.builds.get(id)
    reason = pair.frozen.get(id, "")
    wanted = (one.id for one in build.ks.substitute_from if not one.optional) if build else ()
    return next((one for one in wanted if reason.startswith(f"{one} ")), None)


def _reason(breach: Breach, pair: Pair) -> str:
    reasons = (pair.frozen.get(id, "") for id in breach.violation.ids)
    return next((reason for reason in reasons if reason), breach.violation.why)


def _is_said_elsewhere(breach: Breach, pair: Pair) -> bool:
    """A build that fails is a finding of its own, an instance that is not known is undecided, and so is what waits."""
    if breach.violation.property != "P9":
        return False
    if UNKNOWN in breach.violation.why or any(f" {id} " in breach.violation.why for id in _unknown(pair)):
        return True
    return any(_fails(id, pair, frozenset()) for id in breach.violation.ids)


def _unknown(pair: Pair) -> frozenset[ObjectId]:
    """Owners whose content is not known, by what they say of themselves."""
    told = (breach.violation for breach in pair.breaches if UNKNOWN in breach.violation.why)
    return frozenset(id for violation in told for id in violation.ids)


def _fails(id: ObjectId, pair: Pair, seen: frozenset[ObjectId]) -> bool:
    build = pair.after.cluster.builds.get(id)
    if build is None or id in seen:
        return False
    if build.status is not BuildStatus.OK:
        return True
    waits = pair.frozen.get(id, "")
    awaited = (*build.ks.depends_on, *build.ks.health_checks)
    causes = {other for other in awaited if other in pair.frozen or str(other) in waits}
    return any(_fails(other, pair, seen | {id}) or missing_of(other, pair) is not None for other in causes)
