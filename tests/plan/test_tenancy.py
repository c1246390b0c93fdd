"""A locked down Flux works only on objects that name their account and carry its label (rules.md R32)."""

import pytest
import yaml
from planning import CASES, Reader, installation, tree_of, with_argument

from flux_handover.errors import UnsupportedInstallation
from flux_handover.plan.tenancy import Tenancy, tenancy_of
from flux_handover.tree import Tree

CASE = CASES / "plan-namespace-directories" / "before"
PATH = "/spec/template/spec/containers/0/args/-"
FLUX = "fleet/cluster/toolkit.yaml"


def locked(*arguments: str) -> Tree:
    """The case, with arguments on every controller."""
    operations = "".join(f"            - {{op: add, path: {PATH}, value: {one}}}\n" for one in arguments)
    text = tree_of(CASE).read(FLUX).decode()
    patched = f"{text}    - patch: |\n{operations}      target:\n        kind: Deployment\n"
    return tree_of(CASE).with_file(FLUX, patched.encode())


def test_an_open_flux_asks_for_nothing() -> None:
    assert tenancy_of(installation()) == Tenancy()


def test_a_default_account_makes_ours_name_theirs(reader: Reader) -> None:
    end = reader.plan(locked("--default-service-account=default")).phases[-1].tree

    home = "fleet/applications/flux-system/flux-instance"
    ks = yaml.safe_load(end.read(f"{home}/kustomization-flux.yaml"))
    release = yaml.safe_load(end.read(f"{home}/manifests/helmrelease.yaml"))
    assert ks["spec"]["serviceAccountName"] == "kustomize-controller"
    assert release["spec"]["serviceAccountName"] == "helm-controller"


def test_a_watched_label_is_set_on_everything_of_ours(reader: Reader) -> None:
    end = reader.plan(locked('"--watch-label-selector=shard in (first, second)"')).phases[-1].tree

    home = "fleet/applications/flux-system/flux-operator"
    for path in ("kustomization-flux.yaml", "manifests/helmrelease.yaml", "manifests/ocirepository.yaml"):
        assert yaml.safe_load(end.read(f"{home}/{path}"))["metadata"]["labels"] == {"shard": "first"}


@pytest.mark.parametrize(
    ("selector", "labels"),
    [("!shard", {}), ("shard", {"shard": "true"}), ("shard=a,!other", {"shard": "a"}), ("shard!=a", {})],
)
def test_a_selector_says_which_label_is_needed(selector: str, labels: dict[str, str]) -> None:
    live = with_argument(installation().live, f"--watch-label-selector={selector}")

    assert tenancy_of(installation(live=live)).labels == labels


def test_a_label_without_value_is_refused() -> None:
    live = with_argument(installation().live, "--watch-label-selector=shard=")

    with pytest.raises(UnsupportedInstallation):
        tenancy_of(installation(live=live))
