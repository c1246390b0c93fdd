"""The obligations that two renderings decide: builds, content, settings and schemas."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from flux_handover import catalogue
from flux_handover.model.detection_files import flux_part
from flux_handover.model.effective_kept import lost, with_every_mark
from flux_handover.model.flux import is_instance, source_of
from flux_handover.model.origin import reference_of
from flux_handover.model.rendering import Build, BuildStatus
from flux_handover.objects import OPERATOR_GROUP, SOURCE_GROUP, Object, ObjectId, by_id, ids_of, mapping, object_of
from flux_handover.plan import present
from flux_handover.plan.phases import PhaseName
from flux_handover.plan.releasing import release_of
from flux_handover.plan.releasing_chart import charted
from flux_handover.proof.equivalence import ADDED, REMOVED, Change, changes, is_unchanged, unknown_changes
from flux_handover.proof.neighbours import elsewhere_changed
from flux_handover.proof.obligations import Judgement, Obligation, Verdict
from flux_handover.proof.stages import operator_version
from flux_handover.proof.steps import Step
from flux_handover.proof.writing import foreign, writings

SHOWN = 8
_TRANSFERRING = (PhaseName.TRANSFER, PhaseName.SETTLE, PhaseName.FOLLOW, PhaseName.SYNC)


def prove_builds(step: Step) -> Judgement:
    """Every Kustomization that built before builds after; one that cannot be built is the same on both sides."""
    broken, unknown, same = [], [], []
    for build in step.after.cluster:
        old = step.before.cluster.builds.get(build.id)
        if build.status is BuildStatus.OK:
            continue
        if old and is_unchanged(old, build):
            same.append(build)
        elif build.status is BuildStatus.FAILED:
            broken.append(build)
        else:
            unknown.append(build)
    for builds, verdict in ((broken, Verdict.REFUTED), (unknown, Verdict.UNKNOWN)):
        if builds:
            return Judgement(Obligation.BUILDS, verdict, tuple(map(_why, builds)))
    built = f"{len(step.after.cluster.builds) - len(same)} Kustomizations build"
    unchanged = (f"unchanged by this phase, though not built here: {_why(build)}" for build in same)
    return Judgement(Obligation.BUILDS, Verdict.HOLDS, (built, *unchanged))


def _why(build: Build) -> str:
    return f"{build.id}: {build.failure.message if build.failure else build.status.value}"


def prove_content_kept(step: Step) -> Judgement:
    """All rendered objects are the same but for the fields that the phase's own operations write (contract K18).

    Other clusters of the repository render what they did, whatever the phase writes.
    """
    if disturbed := list(elsewhere_changed(step.others)):
        return Judgement(Obligation.CONTENT_KEPT, Verdict.REFUTED, tuple(disturbed[:SHOWN]))
    written = writings(step)
    found = list(changes(step.before.cluster, step.after.cluster))
    if others := list(foreign(step, found, written)):
        return Judgement(Obligation.CONTENT_KEPT, Verdict.REFUTED, tuple(map(_told, others[:SHOWN])))
    unknown = unknown_changes(step.before.cluster, step.after.cluster)
    if blocking := [build for build in unknown if build.id not in written.ids]:
        return Judgement(Obligation.CONTENT_KEPT, Verdict.UNKNOWN, tuple(map(_why, blocking)))
    evidence = (*(tuple(map(_told, found)) or ("no rendered object changes",)), *_undisturbed(step))
    return Judgement(Obligation.CONTENT_KEPT, Verdict.HOLDS, evidence)


def _undisturbed(step: Step) -> Iterator[str]:
    yield from (f"{cluster.name} renders the same, so nothing is deleted there" for cluster, _ in step.others)


def _told(change: Change) -> str:
    if change.kind in (ADDED, REMOVED):
        return f"{change.id}: {change.kind} by {change.owner}"
    return f"{change.id}: {', '.join(change.fields)}"


def prove_settings_kept(step: Step) -> Judgement:
    """Every setting of Flux is effective after the phase as before the plan."""
    before, after = tuple(_flux_before(step)), tuple(_flux_objects(step))
    if not after:
        return Judgement(Obligation.SETTINGS_KEPT, Verdict.UNKNOWN, ("what Flux would run is not known",))
    differences = lost(before, after, renamed=_renamed(step, ids_of(after)))
    if differences:
        return Judgement(Obligation.SETTINGS_KEPT, Verdict.REFUTED, tuple(map(str, differences)))
    count = len(step.plan.installation.settings)
    return Judgement(Obligation.SETTINGS_KEPT, Verdict.HOLDS, (f"{count} settings are effective as before",))


def _renamed(step: Step, ids: Collection[ObjectId]) -> dict[ObjectId, ObjectId]:
    """The names that changed; not those of objects that only get another name in a later phase."""
    return {old: new for old, new in step.plan.installation.renamed if old not in ids or new in ids}


def _flux_before(step: Step) -> Iterable[Object]:
    """Flux as the plan found it; where the operator has it already, what the FluxInstance rendered before."""
    if step.plan.installation.live:
        live = (*step.plan.installation.live, *_adopted_pair(step), *transferred_pair(step))
        return map(partial(with_every_mark, step.before.cluster), live)
    components = (object for id in step.stages[0].instances for object in step.stages[0].components(id))
    pair = by_id(transferred_pair(step))
    return (*(_spelled(object) for object in components if object.id not in pair), *pair.values())


def _adopted_pair(step: Step) -> Iterator[Object]:
    """The source and the root as Git has them, where the FluxInstance renders them too."""
    root = step.before.cluster.builds[step.before.cluster.root].ks
    rendered = {object.id for id in step.stages[1].instances for object in step.stages[1].components(id)}
    pair = (root.object, step.before.cluster.sources[root.source].object)
    yield from (_spelled(object) for object in pair if object.id in rendered)


def transferred_pair(step: Step) -> Iterator[Object]:
    """The old source and root of a transfer under the new names, where the FluxInstance renders these.

    Until the old root is gone the new one does not wait, and in phase `transfer` it does not prune.
    """
    change, cluster = step.plan.target.transfer, step.before.cluster
    if change is None or step.phase.name not in _TRANSFERRING:
        return
    for old, new in change.renamed.items():
        found = cluster.find(old)
        if found is not None:
            metadata = {**mapping(found.data.get("metadata")), "name": new.name}
            spec = dict(_taking_over(found, new.name, step.phase.name)) if new == change.new_root else found.spec
            yield _spelled(Object(new, {**found.data, "metadata": metadata, "spec": spec}))


def _taking_over(root: Object, name: str, phase: PhaseName) -> Iterator[tuple[str, Any]]:
    """What the spec of an old root must be in the new one, phase by phase."""
    for field, value in root.spec.items():
        match field:
            case "suspend":
                continue
            case "wait" if phase is not PhaseName.SYNC:
                continue
            case "prune":
                yield field, value if phase is not PhaseName.TRANSFER else False
            case "sourceRef":
                yield field, {**mapping(value), "name": name}
            case _:
                yield field, value


def _spelled(object: Object) -> Object:
    """A source with what it follows in one spelling: a branch and its full name are the same commits."""
    if object.id.group != SOURCE_GROUP:
        return object
    return Object(object.id, {**object.data, "spec": {**object.spec, "ref": dict(reference_of(source_of(object)))}})


def _flux_objects(step: Step) -> Iterable[Object]:
    """What the FluxInstance renders where there is one, else what the old owner or release does.

    Nothing where neither is known: an operator whose chart is not in the catalogue says nothing of settings.
    """
    instances = [step.stages[1].components(id) for id in step.stages[1].instances]
    if instances:
        return tuple(map(_spelled, instances[0]))
    owner = step.plan.installation.owner
    build = step.after.cluster.builds.get(owner) if owner else None
    release = release_of(step.plan.installation, step.after.cluster, step.after.tree)
    content = charted(release) if release else None
    if content is not None:
        return tuple(map(partial(with_every_mark, step.before.cluster), content.live))
    if build is None and (owner is not None or present.instance(step.after.cluster) is not None):
        return ()
    objects = flux_part(build.objects, step.plan.installation.plain) if build else step.plan.installation.live
    return tuple(map(partial(with_every_mark, step.before.cluster), objects))


def prove_schema_valid(step: Step) -> Judgement:
    """What the phase adds or changes fits the schemas of the versions that run then."""
    problems = tuple(_problems(step))
    if problems:
        return Judgement(Obligation.SCHEMA_VALID, Verdict.REFUTED, problems)
    return Judgement(Obligation.SCHEMA_VALID, Verdict.HOLDS, ("every object that is written fits its schema",))


def _instances(step: Step) -> Iterator[Object]:
    """FluxInstances that a chart renders, as the API server reads them."""
    for object in (o for content in step.stages[1].charts.values() for o in content if is_instance(o)):
        # Before it applied server-side, Helm left a null to the API server, which drops it.
        yield object if _applies_server_side(step.plan.installation.version) else object_of(_filled(object.data))


def _applies_server_side(version: str) -> bool:
    return not catalogue.has(version) or catalogue.helm_gates(version).applies_server_side


def _filled(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _filled(below) for key, below in value.items() if below is not None}
    return [_filled(element) for element in value] if isinstance(value, list) else value


def _problems(step: Step) -> Iterator[str]:
    version, operator = step.plan.installation.version, operator_version(step.after.cluster)
    changed = {change.id for change in changes(step.before.cluster, step.after.cluster) if change.kind != REMOVED}
    objects = [object for _, object in step.after.cluster.objects() if object.id in changed]
    for object in (*objects, *_instances(step)):
        api_version = object.api_version.rpartition("/")[2]
        if object.id.group == OPERATOR_GROUP:
            schema = catalogue.operator_schema(operator, object.id.kind, api_version) if operator else None
        else:
            schema = catalogue.crd_schema(version, object.id.group, api_version, object.id.kind)
        if schema is not None:
            for misfit in catalogue.validate(schema, object.data):
                yield f"{object.id}: {misfit}"
