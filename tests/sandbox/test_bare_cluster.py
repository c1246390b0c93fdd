"""A bare cluster, built by the real helmfile from what a plan writes: no artifact stays on the FluxInstance."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import yaml
from planning import DEMO, Reader, tree_of

from flux_handover.adapters.engine import Engine
from flux_handover.adapters.sandbox.binaries.providers import Program
from flux_handover.adapters.sandbox.releases.artifacts import CHARTS, add_chart, add_operator_manifests
from flux_handover.adapters.sandbox.session import Sandbox, running_sandbox
from flux_handover.objects import OPERATOR_GROUP, ObjectId, mapping
from flux_handover.plan.bootstrap_helmfiles import helmfiles
from flux_handover.plan.phases import PhaseName, Plan
from flux_handover.tree import Tree

Obtain = Callable[..., Mapping[str, Program]]
Eventually = Callable[..., None]
INSTANCE = ObjectId(OPERATOR_GROUP, "FluxInstance", "flux-system", "flux")
CONTROLLERS = ("source-controller", "kustomize-controller", "helm-controller", "notification-controller")
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", *CONTROLLERS, "flux-operator")
BINARIES = Path.home() / ".cache" / "flux-handover" / "bin"


def found(name: str) -> Path | None:
    """The newest cached program of that name, or the one on the path."""
    cached = sorted(BINARIES.glob(f"{name}-v*/{name}"))
    on_path = shutil.which(name)
    return cached[-1] if cached else Path(on_path) if on_path else None


TOOLS = {name: found(name) for name in ("helm", "helmfile", "kubectl")}
pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.skipif(None in TOOLS.values(), reason="helm, helmfile or kubectl is neither cached nor on the path"),
]


@pytest.fixture(scope="module")
def plan() -> Plan:
    with Engine() as engine:
        return Reader(engine).plan(tree_of(DEMO))


@pytest.fixture(scope="module")
def sandbox(obtain: Obtain, plan: Plan) -> Iterator[Sandbox]:
    programs = obtain(*PROGRAMS)
    with running_sandbox(programs) as running:
        program, version = programs["flux-operator"].path, plan.target.operator.version
        for name in CHARTS:
            add_chart(running.world.registry, name, version, program.parent / "crds" if name == CHARTS[0] else None)
        add_operator_manifests(running.world.registry, program, f"v{version}")
        yield running


def tool(sandbox: Sandbox, directory: Path, *words: str) -> None:
    """Runs a program as a person would, in the sandbox's world."""
    path = ":".join(str(place.parent) for place in TOOLS.values() if place)
    environment = {
        **sandbox.world.environment,
        "PATH": f"{path}:{os.environ['PATH']}",
        "HOME": str(directory),
        "KUBECONFIG": str(sandbox.plane.kubeconfig),
        "NO_PROXY": "127.0.0.1,localhost",
    }
    done = subprocess.run(words, cwd=directory, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def written(directory: Path, tree: Tree) -> None:
    for path in tree:
        place = directory / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(tree.read(path))


def distribution(sandbox: Sandbox) -> Mapping[str, object]:
    return mapping(mapping((sandbox.cluster.get(INSTANCE) or {}).get("spec")).get("distribution"))


def condition(sandbox: Sandbox, id: ObjectId) -> str:
    status = mapping((sandbox.cluster.get(id) or {}).get("status"))
    return next((str(one["status"]) for one in status.get("conditions") or () if one["type"] == "Ready"), "")


def test_helmfile_installs_what_flux_then_goes_on_with(
    sandbox: Sandbox, plan: Plan, tmp_path: Path, eventually: Eventually
) -> None:
    tree = next(phase.tree for phase in plan.phases if phase.name is PhaseName.BOOTSTRAP)
    helmfile = next(h.path for h in helmfiles(tree) if any(r.name == "flux-operator" for r in h.releases))
    written(tmp_path, tree)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "flux-system"}}
    sandbox.cluster.apply(namespace, field_manager="kubectl")

    tool(sandbox, tmp_path, "helmfile", "--file", helmfile, "sync", "--hide-notes")
    eventually(lambda: condition(sandbox, INSTANCE) == "True", seconds=180, what="the FluxInstance is Ready")
    bare = distribution(sandbox)
    for path in (plan.target.layout.instance.source, plan.target.layout.instance.release):
        manifest = {**yaml.safe_load(tree.read(path))}
        manifest["metadata"] = {**manifest["metadata"], "namespace": "flux-system"}
        sandbox.cluster.apply(manifest, field_manager="kustomize-controller")
    release = plan.target.instance.id
    eventually(lambda: condition(sandbox, release) == "True", seconds=180, what="Flux has taken the release over")

    assert bare["version"] == plan.target.distribution["version"]
    assert "artifact" not in bare
    assert "artifact" not in distribution(sandbox)
    eventually(lambda: condition(sandbox, INSTANCE) == "True", seconds=120, what="the FluxInstance is Ready again")
