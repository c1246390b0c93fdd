"""Facts of a live cluster from a file: what was seen is no assumption, what contradicts refutes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from planning import DEMO, Reader, tree_of

from flux_handover.act.observed import COLUMNS, ObservedCluster, observing_line, read_observed, sights_of, with_observed
from flux_handover.act.proved import ProvedPlan
from flux_handover.errors import UsageError
from flux_handover.objects import ObjectId
from flux_handover.plan.conditions import Has
from flux_handover.plan.phases import Gate, Plan
from flux_handover.proof.obligations import Proof, Verdict
from flux_handover.proof.seen import Seen

KS = ObjectId("kustomize.toolkit.fluxcd.io", "Kustomization", "flux-system", "larder")
READY = [{"type": "Ready", "status": "True", "observedGeneration": 3}]


@pytest.fixture(scope="module")
def plan(reader: Reader) -> Plan:
    return reader.plan(tree_of(DEMO))


def proved(plan: Plan) -> ProvedPlan:
    return ProvedPlan(plan, tuple(Proof(phase.name.value, "", "", ()) for phase in plan.phases))


def line(**cells: str) -> str:
    """A line of the file; `metadata_name` is the column of `metadata.name`, `image` that of the first container's."""
    return "\t".join(cells.get("_".join(p for p in path if isinstance(p, str)), "") for path in COLUMNS)


def kustomization(**cells: str) -> str:
    """A Kustomization that is Ready as it is now, but for what is said."""
    usual = {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata_namespace": "flux-system",
        "metadata_name": "larder",
        "metadata_generation": "3",
        "status_observedGeneration": "3",
        "status_conditions": json.dumps(READY),
    }
    return line(**{**usual, **cells})


def controller(name: str, namespace: str, image: str) -> str:
    """A controller that runs an image."""
    own = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata_namespace": namespace, "metadata_name": name}
    return line(**own, spec_template_spec_containers_image=image)


def as_in_git(plan: Plan) -> list[str]:
    """The root and the owner of Flux with the specs that Git gives them."""
    gates = {gate.id: gate for phase in plan.phases for gate in phase.gates if gate.id.startswith("live-")}
    return [kustomization(**dict(_cells(gate))) for gate in gates.values()]


def _cells(gate: Gate) -> Iterator[tuple[str, str]]:
    assert isinstance(gate.looks_for, Has)
    yield "metadata_name", gate.looks_for.id.name
    for field in gate.looks_for.fields:
        yield "_".join(map(str, field.path)), re.sub(r"\\(.)", r"\1", field.pattern or "")


def seen_of(plan: Plan, *lines: str) -> ProvedPlan:
    return with_observed(proved(plan), read_observed("\n".join(lines), "facts.txt"))


def test_a_line_is_the_object_that_it_shows() -> None:
    cluster = read_observed(kustomization(spec_path="./larder", spec_prune="true"), "facts.txt")

    found = cluster.get(KS)

    assert found is not None
    assert found["metadata"] == {"namespace": "flux-system", "name": "larder", "generation": 3}
    assert found["spec"] == {"path": "./larder", "prune": "true"}
    assert found["status"] == {"observedGeneration": 3, "conditions": READY}


def test_an_inventory_is_what_flux_deletes_by() -> None:
    entries = json.dumps([{"id": "_keepers__all_rbac.authorization.k8s.io_ClusterRole", "v": "v1"}])
    text = kustomization(spec_path="./larder", spec_prune="true", status_inventory_entries=entries)

    (seen,) = sights_of(read_observed(text, "facts.txt")).values()

    role = ObjectId("rbac.authorization.k8s.io", "ClusterRole", "", "keepers:all")
    assert seen == Seen("./larder", prune=True, suspended=False, inventory=frozenset({role}))


def test_an_image_is_that_of_the_first_container() -> None:
    text = controller("pantry", "house", "registry.example.org/pantry:v1")

    found = read_observed(text, "facts.txt").get(ObjectId("apps", "Deployment", "house", "pantry"))

    assert found is not None
    assert found["spec"]["template"]["spec"]["containers"] == [{"image": "registry.example.org/pantry:v1"}]


def test_lists_of_objects_are_read_too() -> None:
    manifest: dict[str, Any] = {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "larder", "namespace": "flux-system"},
    }
    text = json.dumps({"kind": "List", "items": [manifest]}) + "\n" + json.dumps({**manifest, "kind": "Other"})

    assert len(read_observed(text, "facts.json").objects) == 2


@pytest.mark.parametrize("text", ["{", "a\tb", json.dumps({"kind": "Secret", "metadata": {"name": "key"}})])
def test_what_is_no_file_of_facts_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(UsageError) as refusal:
        read_observed(text, "facts.txt")

    assert refusal.value.where == "facts.txt"
    assert observing_line() in refusal.value.hint


def test_what_was_seen_is_no_assumption(plan: Plan) -> None:
    found = seen_of(plan, kustomization(), *as_in_git(plan))

    assert "kustomizations-ready" in "".join(found.observed)
    assert not any(one.startswith("kustomizations-ready") for one in found.plan.assumptions)
    assert found.contradicted == ()
    assert found.verdict is Verdict.HOLDS


def test_what_was_not_looked_at_stays_an_assumption(plan: Plan) -> None:
    found = seen_of(plan, kustomization(), *as_in_git(plan))

    assert any(one.startswith("helmreleases-ready") for one in found.plan.assumptions)
    assert with_observed(proved(plan), ObservedCluster({})).plan == plan


@pytest.mark.parametrize(
    ("cells", "gate"),
    [
        ({"status_conditions": json.dumps([{"type": "Ready", "status": "False"}])}, "kustomizations-ready"),
        ({"metadata_generation": "4"}, "kustomizations-ready"),
    ],
)
def test_what_contradicts_an_assumption_refutes_the_plan(cells: dict[str, str], gate: str, plan: Plan) -> None:
    found = seen_of(plan, kustomization(**cells), *as_in_git(plan))

    assert [one.partition(":")[0] for one in found.contradicted] == [gate]
    assert found.verdict is Verdict.REFUTED


def test_a_live_spec_that_is_not_the_one_of_git_refutes_the_plan(plan: Plan) -> None:
    found = seen_of(plan, *(text.replace("\ttrue\t", "\tfalse\t") for text in as_in_git(plan)))

    assert {one.partition("-")[0] for one in found.contradicted} == {"live"}
    assert "spec.prune is false" in found.contradicted[0]


def test_another_version_that_runs_refutes_the_plan(plan: Plan) -> None:
    namespace, names = plan.installation.namespace, plan.installation.components
    running = [controller(name, namespace, f"ghcr.io/fluxcd/{name}:v0.1.0") for name in names]

    found = seen_of(plan, *running)

    assert any(one.startswith("running-version") for one in found.contradicted)


def test_the_line_reads_and_shows_no_secret() -> None:
    assert "secret" not in observing_line().lower()
    assert observing_line("a.txt").endswith("> a.txt")
    assert observing_line().count("kubectl get ") == 2


def test_the_page_shows_the_line() -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "show-the-cluster.md"

    assert observing_line() in page.read_text()


def test_a_plan_without_facts_is_as_it_was(plan: Plan) -> None:
    assert replace(proved(plan), observed=(), contradicted=()) == proved(plan)
