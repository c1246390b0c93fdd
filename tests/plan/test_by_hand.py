"""Flux that nothing in Git applies, or that two owners apply: refused at the line that says so."""

from __future__ import annotations

import pytest
from bootstrapped import HOME, NEST, SYNC, aviary, components
from builders import repo
from installed import ARTIFACT, CHART
from planning import Reader, names_of

from flux_handover.errors import UnsupportedInstallation
from flux_handover.tree import Tree

URL = "https://github.com/fluxcd/flux2/releases/download/v2.6.4/install.yaml"
EXPORT = "flux install --version=VERSION"
RELEASE = "write it as a HelmRelease"
PLAY = "- hosts: all\n  tasks:\n  - kubernetes.core.helm:\n      name: flux\n      chart_ref: fluxcd-community/flux2\n"
NODE = "apiVersion: helm.cattle.io/v1\nkind: HelmChart\nmetadata: {name: flux}\nspec:\n  chart: flux2\n"


def bare(*more: str) -> Tree:
    """A root that applies itself and its source, and nothing of Flux."""
    return repo("clusters/aviary/root.yaml", SYNC, "clusters/aviary/nest.yaml", NEST, *more)


@pytest.mark.parametrize(
    ("path", "text", "line", "hint"),
    [
        ("Makefile", "up:\n\tflux install --version=v2.6.4\n", 2, EXPORT),
        ("up.sh", f"set -e\nkubectl apply -f {URL}\n", 2, EXPORT),
        ("machines/a.yaml", f"cluster:\n  extraManifests:\n  - {URL}\n", 3, EXPORT),
        ("Makefile", "up:\n\thelm upgrade --install flux fluxcd-community/flux2\n", 2, RELEASE),
        ("play/up.yml", PLAY, 5, RELEASE),
        ("server/flux.yaml", NODE, 5, RELEASE),
    ],
    ids=["command", "address", "machine", "helm", "playbook", "node"],
)
def test_what_only_a_line_installs_is_refused_at_that_line(
    path: str, text: str, line: int, hint: str, reader: Reader
) -> None:
    with pytest.raises(UnsupportedInstallation, match="Flux is installed from here alone") as refusal:
        reader.plan(bare(path, text))

    assert refusal.value.where == f"{path}:{line}"
    assert hint in refusal.value.hint


def test_what_the_refusal_asks_for_lifts_it(reader: Reader) -> None:
    lifted = aviary(**{"Makefile": "up:\n\tflux install --version=v2.6.4\n"})

    assert "retire" in names_of(reader.plan(lifted))


@pytest.mark.parametrize(
    ("more", "where", "rival"),
    [
        (CHART, "clusters/aviary/more.yaml:6", "HelmRelease/flux-system/engine applies Flux too"),
        (ARTIFACT, f"{HOME}/gotk-sync.yaml:16", "Kustomization/flux-system/flux-system applies Flux too"),
    ],
    ids=["chart", "artifact"],
)
def test_two_owners_of_flux_are_refused(more: str, where: str, rival: str, reader: Reader) -> None:
    """The one that is left would go on changing what the operator has taken over."""
    with pytest.raises(UnsupportedInstallation, match=rival) as refusal:
        reader.plan(aviary(**{"clusters/aviary/more.yaml": more.lstrip()}))

    assert refusal.value.where == where
    assert "decide for one" in refusal.value.hint


def test_an_owner_that_is_suspended_is_no_rival(reader: Reader) -> None:
    suspended = CHART.lstrip().replace("  interval: 1h\n  chart:", "  interval: 1h\n  suspend: true\n  chart:")

    assert "protect" in names_of(reader.plan(aviary(**{"clusters/aviary/more.yaml": suspended})))


def test_components_of_another_version_in_an_archive_are_no_rival(reader: Reader) -> None:
    tree = aviary(**{"attic/gotk-components.yaml": components("v2.7.5")})

    assert reader(tree).installations["clusters/aviary"].rivals == ()
