"""Whether a bare cluster can be built again from what a revision holds: obligation `bootstrap-complete` (R22).

Steps are commands in runners, scripts and runbooks; what each creates is read from it and from the
files it names. Up to phase `bootstrap` the old way must go on working, wherever there was one;
from then on the operator must be installed, and everything that the root needs be created.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from flux_handover.findings import Location
from flux_handover.objects import ObjectId
from flux_handover.plan import present
from flux_handover.plan.bootstrap import bootstrap_steps
from flux_handover.plan.bootstrap_commands import commands
from flux_handover.plan.bootstrap_helmfiles import HelmfileRelease, beside, helmfiles, read_by
from flux_handover.plan.bootstrap_needs import Need, Stuck, root_needs, stuck
from flux_handover.plan.bootstrap_steps import BootstrapStep, Installs, is_unread
from flux_handover.plan.embedded import VALUE, is_embedded
from flux_handover.plan.listings import read_files
from flux_handover.plan.phases import PhaseName
from flux_handover.plan.transferring import resume_command
from flux_handover.proof.obligations import Judgement, Obligation, Verdict
from flux_handover.proof.stages import Revision
from flux_handover.proof.steps import Step

_OLD_WAY = frozenset({PhaseName.PREFLIGHT, PhaseName.STATE, PhaseName.PROTECT, PhaseName.OPERATOR, PhaseName.INSTANCE})
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class _Rebuild:
    """How far one revision can be built from nothing: the place of each thing that is created."""

    created: Mapping[ObjectId, Location]
    installed: Mapping[Installs, Location]
    lacking: tuple[Need, ...]
    stuck: tuple[Stuck, ...]
    unread: tuple[Location, ...]

    @property
    def is_possible(self) -> bool:
        """Whether Flux gets there at all, in either way, with what its root needs."""
        new_way = {Installs.OPERATOR, Installs.INSTANCE} <= self.installed.keys()
        return not self.lacking and (new_way or Installs.FLUX in self.installed)


def prove_bootstrap_complete(step: Step) -> Judgement:
    """A bare cluster can be built after the phase: by the operator from phase `bootstrap` on, else as before."""
    before, after = _rebuild(step.before), _rebuild(step.after)
    problems = (*_lost(before, after), *_asleep(step))
    hidden = frozenset(_hidden(before, after, step))
    if step.phase.name not in _OLD_WAY:
        problems += (*_incomplete(after, hidden), *_versions(step.after), *_refused(step.after))
    if problems and not after.unread:
        return Judgement(Obligation.BOOTSTRAP_COMPLETE, Verdict.REFUTED, problems[:_SHOWN])
    if problems:
        unread = (f"{where}: what this applies is not known" for where in after.unread[:_SHOWN])
        return Judgement(Obligation.BOOTSTRAP_COMPLETE, Verdict.UNKNOWN, (*problems[:_SHOWN], *unread))
    evidence = (*_evidence(before, after, step.after), *_as_before(hidden, after))
    return Judgement(Obligation.BOOTSTRAP_COMPLETE, Verdict.HOLDS, evidence)


def _hidden(before: _Rebuild, after: _Rebuild, step: Step) -> Iterator[ObjectId]:
    """What no readable step creates on either side, where the steps that cannot be read are the same on both (R8)."""
    files = {where.file for where in (*before.unread, *after.unread)}
    trees = (step.before.tree, step.after.tree)
    if before.unread and all(path in tree for path in files for tree in trees):
        had = {need.id for need in before.lacking}
        if all(trees[0].read(path) == trees[1].read(path) for path in files):
            yield from (need.id for need in after.lacking if need.id in had)


def _as_before(hidden: frozenset[ObjectId], after: _Rebuild) -> Iterator[str]:
    places = ", ".join(str(where) for where in after.unread[:_SHOWN])
    yield from (f"{id}: as before the phase, by a step that cannot be read here: {places}" for id in sorted(hidden))


def _rebuild(revision: Revision) -> _Rebuild:
    steps = bootstrap_steps(revision.cluster, revision.tree)
    created = {id: step.where for step in reversed(steps) for id in step.creates}
    installed = {part: step.where for step in reversed(steps) for part in step.installs}
    if Installs.INSTANCE in installed:
        # What a FluxInstance syncs, the operator makes: no step has to.
        created = {**dict.fromkeys(present.synced_ids(revision.cluster), installed[Installs.INSTANCE]), **created}
    return _Rebuild(
        created=created,
        installed=installed,
        lacking=tuple(need for need in root_needs(revision.cluster) if need.id not in created),
        stuck=stuck(revision.cluster, created),
        unread=tuple(_unread(steps)),
    )


def _unread(steps: tuple[BootstrapStep, ...]) -> Iterator[Location]:
    yield from (step.where for step in steps if is_unread(step))


def _lost(before: _Rebuild, after: _Rebuild) -> Iterator[str]:
    """What could be built before the phase and cannot after it."""
    had = {need.id for need in before.lacking}
    for need in (need for need in after.lacking if need.id not in had):
        where = before.created.get(need.id, "the revision before")
        yield f"nothing creates {need.id}, as {where} did: {need.why}"
    if not after.lacking:
        yield from _no_way(before, after)
        yield from _newly_stuck(before, after)


def _asleep(step: Step) -> Iterator[str]:
    """A root that a bare cluster gets suspended, where no step lets it go on."""
    root = step.after.cluster.builds[step.after.cluster.root]
    if not root.ks.suspend or step.before.cluster.builds[step.before.cluster.root].ks.suspend:
        return
    live = frozenset(read_files(step.after.cluster, step.after.tree))
    wanted = resume_command(root.id)
    if not any(command.text == wanted for command in commands(step.after.tree, live)):
        yield f"{root.id} is suspended, and no step lets it go on: {wanted}"


def _no_way(before: _Rebuild, after: _Rebuild) -> Iterator[str]:
    if before.is_possible and not after.is_possible:
        where = next(iter(before.installed.values()))
        yield f"nothing installs Flux on a bare cluster any more, as {where} did"


def _newly_stuck(before: _Rebuild, after: _Rebuild) -> Iterator[str]:
    waited = {one.ks for one in before.stuck}
    for one in after.stuck:
        if one.ks not in waited:
            yield f"{one.ks} would never reconcile on a bare cluster: {one.missing[0].id} is created by nothing"


def _incomplete(rebuild: _Rebuild, hidden: frozenset[ObjectId]) -> Iterator[str]:
    for part in (Installs.OPERATOR, Installs.INSTANCE):
        if part not in rebuild.installed:
            yield f"no step installs flux-{part.value}, or its values cannot be rendered"
    for need in (need for need in rebuild.lacking if need.id not in hidden):
        yield f"no step creates {need.id}: {need.why}"


def _versions(revision: Revision) -> Iterator[str]:
    """The chart that bootstrap installs is the one that runs afterwards (R13)."""
    running = dict(_running(revision))
    for release in _releases(revision):
        version = running.get(release.chart_name, "")
        if version and release.version.removeprefix("v") != version:
            yield f"{release.where} installs {release.chart_name} {release.version}, Git has {version}"


def _refused(revision: Revision) -> Iterator[str]:
    """A value that the chart writes as null, which the API server refuses where Helm applies server-side (R15)."""
    instance = present.instance(revision.cluster)
    if instance is None or instance.release is None or not is_embedded(instance.release.values):
        return
    for release in _releases(revision):
        if release.chart_name == "flux-instance" and VALUE not in release.sets:
            yield f"{release.where} gives the chart no {VALUE}, which it then writes as null"


def _running(revision: Revision) -> Iterator[tuple[str, str]]:
    operator, instance = present.operator_release(revision.cluster), present.instance(revision.cluster)
    if operator is not None:
        yield "flux-operator", present.chart_version(operator.object, revision.cluster)
    if instance is not None:
        yield "flux-instance", present.chart_version(instance.found.object, revision.cluster)


def _releases(revision: Revision) -> Iterator[HelmfileRelease]:
    """Releases whose values are those of a HelmRelease of this cluster."""
    read = frozenset(read_files(revision.cluster, revision.tree))
    for helmfile in helmfiles(revision.tree):
        for release in helmfile.releases:
            rules = (read_by(beside(helmfile.path, value), revision.tree) for value in release.values)
            if any(rule and rule.path_for(release.namespace, release.name) in read for rule in rules):
                yield release


def _evidence(before: _Rebuild, after: _Rebuild, revision: Revision) -> Iterator[str]:
    if not after.is_possible:
        yield "nothing in Git builds a bare cluster before this phase either; phase bootstrap adds it"
        return
    for part, where in sorted(after.installed.items(), key=lambda pair: pair[0].value):
        yield f"{'Flux, in the old way' if part is Installs.FLUX else f'flux-{part.value}'}: {where}"
    for need in (need for need in root_needs(revision.cluster) if need.id in after.created):
        yield f"{need.id}: {after.created[need.id]}"
    waited = {one.ks for one in before.stuck}
    for one in after.stuck:
        if one.ks in waited:
            yield f"{one.ks} lacked {one.missing[0].id} before too"
