from __future__ import annotations

from dataclasses import replace

import pytest
from report_values import snapshot

from flux_handover.cli.planning import status_of
from flux_handover.cli.reading import named, selected, with_flux
from flux_handover.errors import UnsupportedInstallation, UsageError
from flux_handover.model.installation import Method
from flux_handover.model.snapshot import Snapshot
from flux_handover.plan.clusters import needing
from flux_handover.proof.obligations import Verdict

NAMES = ("clusters/home", "clusters/office", "edge/home", "top")


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("clusters/home", "clusters/home"),
        ("./clusters/office/", "clusters/office"),
        ("office", "clusters/office"),
        ("edge/home", "edge/home"),
        ("top", "top"),
    ],
)
def test_a_cluster_is_meant_by_its_path_or_the_end_of_it(wanted: str, expected: str) -> None:
    assert named(wanted, NAMES) == expected


def test_an_ambiguous_end_is_refused_with_the_choices() -> None:
    with pytest.raises(UsageError) as error:
        named("home", NAMES)

    assert error.value.hint == "say one of clusters/home, edge/home"


def test_part_of_a_word_means_nothing() -> None:
    with pytest.raises(UsageError, match="there is no cluster 'ome'"):
        named("ome", NAMES)


def test_without_any_cluster_the_hint_is_root() -> None:
    with pytest.raises(UsageError) as error:
        named("home", ())

    assert "--root" in error.value.hint


def test_selecting_leaves_what_belongs_to_the_cluster() -> None:
    here = two_clusters()

    only = selected(here, "lab")

    assert [cluster.name for cluster in only.clusters] == ["lab"]
    assert list(only.installations) == ["lab"]
    assert selected(here, "") is here


def test_a_repository_without_a_trace_of_flux_is_refused() -> None:
    with pytest.raises(UnsupportedInstallation, match="no Flux was found"):
        with_flux(replace(snapshot(), clusters=(), candidates=()))


def test_candidates_are_enough_to_go_on() -> None:
    assert with_flux(replace(snapshot(), clusters=(), candidates=("a",))).candidates == ("a",)


def two_clusters() -> Snapshot:
    one = snapshot()
    other = replace(one.clusters[0], name="office")
    done = replace(one.installations["lab"], cluster="office", method=Method.OPERATOR)
    return replace(one, clusters=(*one.clusters, other), installations={**one.installations, "office": done})


def test_clusters_that_have_the_operator_need_no_plan() -> None:
    assert needing(two_clusters()) == ("lab",)


def test_where_every_cluster_has_the_operator_each_is_looked_at() -> None:
    only = selected(two_clusters(), "office")

    assert needing(only) == ("office",)


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [
        ([], 0),
        ([Verdict.HOLDS], 0),
        ([Verdict.HOLDS, Verdict.UNKNOWN], 2),
        ([Verdict.UNKNOWN, Verdict.REFUTED], 1),
    ],
)
def test_the_status_follows_the_worst_verdict(verdicts: list[Verdict], status: int) -> None:
    assert status_of(verdicts) == status
