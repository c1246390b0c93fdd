"""Each obligation, decided on the plan for the bundled repository, and on that plan made wrong in one way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

import pytest
from planning import DEMO, Reader, tree_of

from flux_handover.model.flux import Source
from flux_handover.model.rendering import Build, Cluster
from flux_handover.objects import Object, ObjectId, object_of
from flux_handover.plan.phases import LiveStep, PhaseName, Plan
from flux_handover.proof.deciding import (
    prove_builds,
    prove_content_kept,
    prove_schema_valid,
    prove_settings_kept,
)
from flux_handover.proof.exploration import Violation
from flux_handover.proof.losing import (
    prove_no_deadlock,
    prove_nothing_lost,
    prove_recoverable,
    prove_single_owner,
    prove_versions_steady,
)
from flux_handover.proof.obligations import Judgement, Obligation, Verdict
from flux_handover.proof.prove import OWED
from flux_handover.proof.resolving import prove_references_resolve
from flux_handover.proof.returning import prove_way_back
from flux_handover.proof.series import Breach
from flux_handover.proof.stages import Revision, gates_between, stage_of, step
from flux_handover.proof.steps import Step, committing
from flux_handover.proof.trace import Counterexample

Steps = dict[str, Step]


def with_cluster(step: Step, change: Callable[[Cluster], Cluster]) -> Step:
    """The step with another rendering after it; what the simulation found stays."""
    return replace(step, after=replace(step.after, cluster=change(step.after.cluster)))


def with_builds(cluster: Cluster, *builds: Build) -> Cluster:
    changed = {**cluster.builds, **{build.id: build for build in builds}}
    return replace(cluster, builds=MappingProxyType(changed))


def with_breach(step: Step, property: str) -> Step:
    violation = Violation(property, (ObjectId("", "ConfigMap", "shop", "a"),), "it is wrong")
    breach = Breach(violation, Counterexample("", violation.ids, ()))
    return replace(step, outcome=replace(step.outcome, breaches=(breach,)))


def test_every_phase_of_the_bundled_repository_is_proved(demo_plan: Plan, reader: Reader) -> None:
    proofs = reader.proofs(tree_of(DEMO))

    assert [proof.phase for proof in proofs] == [phase.name.value for phase in demo_plan.phases]
    assert {proof.verdict for proof in proofs} == {Verdict.HOLDS}
    assert [j.obligation for j in proofs[-1].judgements] == [decide_of(o) for o in range(len(OWED))]
    assert {j.obligation for j in proofs[-1].judgements} == set(Obligation)


def decide_of(number: int) -> Obligation:
    """The obligation that a function of OWED decides, by its name."""
    name = OWED[number].__name__.removeprefix("prove_").replace("_", "-")
    return Obligation(name)


def test_pushing_the_last_phase_at_once_makes_flux_delete_itself(demo_plan: Plan, reader: Reader) -> None:
    """The revision before the plan and the tree of its last phase as one commit: a squash, or a hasty merge."""
    phases = committing(demo_plan)
    before, after = (
        Revision(name, tree, reader(tree).cluster(demo_plan.cluster))
        for name, tree in (("base", tree_of(DEMO)), ("all", phases[-1].tree))
    )
    stages = stage_of(before, None, reader.engine), stage_of(after, before, reader.engine)
    _, outcome = step(*stages, gates_between(demo_plan.installation.version, before.cluster, after.cluster))

    lost = {str(loss.id): loss for loss in outcome.losses}
    assert lost.keys() >= {"Namespace/flux-system", "Deployment/flux-system/kustomize-controller"}
    counterexample = lost["Deployment/flux-system/kustomize-controller"].counterexample
    assert counterexample.edge == "E3"
    assert "finalizes Kustomization/flux-system/flux with the live prune true" in str(counterexample)
    assert outcome.states < 20_000


def test_the_exploration_of_a_phase_is_small(demo_steps: Steps) -> None:
    assert max(step.outcome.states for step in demo_steps.values()) < 1_000


def test_an_undeclared_deletion_is_refuted_and_a_declared_one_must_happen(demo_steps: Steps) -> None:
    retire, protect = demo_steps["retire"], demo_steps["protect"]
    silent = replace(retire, phase=replace(retire.phase, removes=frozenset()))
    boastful = replace(protect, phase=replace(protect.phase, removes=retire.phase.removes))

    assert prove_nothing_lost(retire).verdict is Verdict.HOLDS
    assert prove_nothing_lost(silent).verdict is Verdict.REFUTED
    assert prove_nothing_lost(silent).counterexample is not None
    assert prove_nothing_lost(boastful).verdict is Verdict.REFUTED


def with_null_artifact(step: Step) -> Step:
    """The step with the FluxInstance as the chart alone renders it."""

    def rendered(object: Object) -> Object:
        distribution = {**object.spec["distribution"], "artifact": None}
        return object_of({**object.data, "spec": {**object.spec, "distribution": distribution}})

    charts = {
        id: tuple(rendered(o) if o.id.kind == "FluxInstance" else o for o in content)
        for id, content in step.stages[1].charts.items()
    }
    return replace(step, stages=(step.stages[0], replace(step.stages[1], charts=charts)))


def test_the_written_instance_has_no_artifact(demo_steps: Steps) -> None:
    charts = demo_steps["instance"].stages[1].charts.values()
    (instance,) = (o for content in charts for o in content if o.id.kind == "FluxInstance")

    assert "artifact" not in instance.spec["distribution"]


@pytest.mark.parametrize(("flux", "verdict"), [("v2.7.5", Verdict.HOLDS), ("v2.8.7", Verdict.REFUTED)])
def test_a_null_is_refused_where_helm_applies_server_side(flux: str, verdict: Verdict, demo_steps: Steps) -> None:
    step = demo_steps["instance"]
    installation = replace(step.plan.installation, version=flux)
    step = replace(step, plan=replace(step.plan, installation=installation))

    judged = prove_schema_valid(with_null_artifact(step))

    assert prove_schema_valid(step).verdict is Verdict.HOLDS
    assert judged.verdict is verdict
    if verdict is Verdict.REFUTED:
        assert judged.evidence == ("FluxInstance/flux-system/flux: .spec.distribution.artifact: is null",)


def test_an_unfinished_exploration_is_unknown(demo_steps: Steps) -> None:
    protect = demo_steps["protect"]
    unfinished = replace(protect, outcome=replace(protect.outcome, undecided=("more than 3 states",)))

    assert prove_nothing_lost(unfinished).verdict is Verdict.UNKNOWN
    assert prove_recoverable(unfinished).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("property", "decide"),
    [
        ("P5", prove_single_owner),
        ("P2", prove_no_deadlock),
        ("P9", prove_no_deadlock),
        ("P6", prove_recoverable),
        ("P8", prove_versions_steady),
    ],
)
def test_a_broken_property_refutes_its_obligation(
    property: str, decide: Callable[[Step], Judgement], demo_steps: Steps
) -> None:
    protect = demo_steps["protect"]

    assert decide(protect).verdict is Verdict.HOLDS
    assert decide(with_breach(protect, property)).verdict is Verdict.REFUTED


def test_an_object_that_changes_without_an_operation_is_refuted(demo_steps: Steps) -> None:
    protect = demo_steps["protect"]
    build = next(build for build in protect.after.cluster if any(o.id.kind == "HelmRelease" for o in build.objects))
    first, *rest = sorted(build.objects, key=lambda object: object.id.kind != "HelmRelease")
    altered = object_of({**first.data, "altered": True})
    changed = replace(build, objects=(altered, *rest), inputs="other")
    wrong = with_cluster(protect, lambda cluster: with_builds(cluster, changed))

    assert prove_content_kept(protect).verdict is Verdict.HOLDS
    assert prove_content_kept(wrong).verdict is Verdict.REFUTED


def test_a_setting_that_the_instance_loses_is_refuted(demo_steps: Steps) -> None:
    instance = demo_steps["instance"]
    stage = instance.stages[1]
    bare = {id: tuple(o for o in stage.components(id) if o.id.kind != "Deployment") for id in stage.instances}
    wrong = replace(instance, stages=(instance.stages[0], replace(stage, instances=bare)))

    assert prove_settings_kept(instance).verdict is Verdict.HOLDS
    assert prove_settings_kept(wrong).verdict is Verdict.REFUTED


def test_every_kustomization_builds(demo_steps: Steps) -> None:
    assert all(prove_builds(step).verdict is Verdict.HOLDS for step in demo_steps.values())


def test_a_name_that_leads_nowhere_since_the_phase_is_refuted(demo_steps: Steps) -> None:
    """Each source of the operator's chart is named by its HelmRelease."""
    operator = demo_steps["operator"]
    wanted = operator.plan.target.operator.source
    build = next(b for b in operator.after.cluster if any(o.id == wanted for o in b.objects))
    less = replace(build, objects=tuple(o for o in build.objects if o.id != wanted), inputs="other")
    wrong = with_cluster(operator, lambda cluster: with_builds(cluster, less))
    wrong = with_cluster(wrong, lambda cluster: replace(cluster, sources=_without(cluster, wanted)))

    judgement = prove_references_resolve(wrong)
    assert prove_references_resolve(operator).verdict is Verdict.HOLDS
    assert judgement.verdict is Verdict.REFUTED
    assert wanted.name in judgement.evidence[0]


def decrypting(cluster: Cluster, id: ObjectId, secret: str) -> Cluster:
    """The cluster with one of its Kustomizations decrypted by a key that nothing renders."""
    build = next(b for b in cluster if any(o.id == id for o in b.objects))
    spec = {"decryption": {"provider": "sops", "secretRef": {"name": secret}}}
    objects = tuple(object_of({**o.data, "spec": {**o.spec, **spec}}) if o.id == id else o for o in build.objects)
    return with_builds(cluster, replace(build, objects=objects))


@pytest.mark.parametrize(("relied_on", "verdict"), [("key", Verdict.HOLDS), ("other", Verdict.REFUTED)])
def test_a_key_that_a_kustomization_relies_on_is_there(relied_on: str, verdict: Verdict, demo_steps: Steps) -> None:
    operator = demo_steps["operator"]
    new = operator.plan.target.layout.operator.ks
    other = next(b.id for b in operator.before.cluster if b.parent is not None)
    before = replace(operator.before, cluster=decrypting(operator.before.cluster, other, relied_on))
    after = decrypting(decrypting(operator.after.cluster, other, relied_on), new, "key")

    judgement = prove_references_resolve(with_cluster(replace(operator, before=before), lambda _: after))

    assert judgement.verdict is verdict, judgement.evidence


def _without(cluster: Cluster, id: ObjectId) -> dict[ObjectId, Source]:
    return {key: source for key, source in cluster.sources.items() if key != id}


@pytest.mark.parametrize("phase", ["protect", "operator", "instance", "retire"])
def test_the_way_back_of_a_phase_gives_everything_back(phase: str, demo_steps: Steps) -> None:
    assert prove_way_back(demo_steps[phase]).verdict is Verdict.HOLDS


def test_reverting_the_commit_of_the_instance_is_no_way_back(demo_steps: Steps) -> None:
    """The operator goes on owning what kustomize-controller skips (rules.md R25)."""
    instance = demo_steps["instance"]
    revert = tuple(one for one in instance.phase.way_back if one.command.startswith("git"))
    judgement = prove_way_back(replace(instance, phase=replace(instance.phase, way_back=revert)))

    assert judgement.verdict is Verdict.REFUTED
    assert "would not go back to the old owner" in " ".join(judgement.evidence)


def test_deleting_the_instance_before_the_operator_is_told_uninstalls_flux(demo_steps: Steps) -> None:
    instance = demo_steps["instance"]
    hasty = tuple(one for one in instance.phase.way_back if "delete fluxinstances" in one.command)
    judgement = prove_way_back(replace(instance, phase=replace(instance.phase, way_back=hasty)))

    assert judgement.verdict is Verdict.REFUTED
    assert "kustomize-controller is gone for good" in judgement.evidence
    assert judgement.counterexample is not None


def test_a_step_of_a_way_back_that_is_not_understood_is_unknown(demo_steps: Steps) -> None:
    protect = demo_steps["protect"]
    strange = replace(protect.phase, way_back=(LiveStep("do something", "flux reconcile kustomization flux"),))
    nothing = replace(protect.phase, way_back=())

    assert prove_way_back(replace(protect, phase=strange)).verdict is Verdict.UNKNOWN
    assert prove_way_back(replace(protect, phase=nothing)).verdict is Verdict.REFUTED


def test_the_phases_that_commit_are_all_but_preflight(demo_plan: Plan) -> None:
    assert PhaseName.PREFLIGHT not in {phase.name for phase in committing(demo_plan)}
