"""Live objects change only in the fields that a phase writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from proof.fleets import Files, Judge, config, fleet, ks

from flux_handover.act.content import (
    NOTHING_WRITTEN,
    Written,
    cleaned,
    contents,
    foreign_changes,
    is_within,
    shared,
    with_taken_over,
    written_between,
)
from flux_handover.adapters.engine import Engine
from flux_handover.model.rendering import Cluster
from flux_handover.objects import OPERATOR_NAME, OWNER_NAME, ObjectId, id_of, object_of

POND = ObjectId("", "ConfigMap", "gardens", "pond")
KEY = ObjectId("", "Secret", "gardens", "key")


def pond(*, labels: Mapping[str, str] | None = None, **data: str) -> Mapping[str, Any]:
    metadata = {"name": "pond", "namespace": "gardens", "uid": "1", "labels": labels or {}, "managedFields": []}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data, "status": {"seen": 1}}


def changed(before: Mapping[str, Any], after: Mapping[str, Any], *allowed: str) -> list[str]:
    written = Written(frozenset({POND}), {POND: frozenset(allowed)})
    return [path for _, path in foreign_changes({POND: cleaned(before)}, {POND: cleaned(after)}, written)]


def test_what_controllers_write_for_themselves_is_no_content() -> None:
    marked = pond(labels={OWNER_NAME: "orchard"}, depth="1")

    assert cleaned(marked) == cleaned({**pond(depth="1"), "status": {"seen": 2}})


@pytest.mark.parametrize(
    ("allowed", "foreign"),
    [((), ["data.depth"]), (("data.depth",), []), (("data",), []), (("data.fish",), ["data.depth"])],
)
def test_a_field_may_change_where_the_phase_writes_it(allowed: tuple[str, ...], foreign: list[str]) -> None:
    assert changed(pond(depth="1", fish="2"), pond(depth="3", fish="2"), *allowed) == foreign


def test_what_came_or_went_is_no_change_of_content() -> None:
    assert list(foreign_changes({POND: pond()}, {}, Written(frozenset({POND}), {}))) == []


@pytest.mark.parametrize(
    ("path", "field", "within"),
    [
        ("spec.patches[1].patch", "spec.patches", True),
        ("spec.patches", "spec.patches[1].patch", True),
        ("spec.prune", "spec.prune", True),
        ("spec.pruned", "spec.prune", False),
        ("spec.path", "spec.prune", False),
    ],
)
def test_a_field_holds_what_is_below_it(path: str, field: str, within: bool) -> None:
    assert is_within(path, field) is within


class Shown:
    """A cluster that holds these objects."""

    def __init__(self, *manifests: Mapping[str, Any]) -> None:
        self._manifests = manifests

    def get(self, id: ObjectId) -> Mapping[str, Any] | None:
        return next((one for one in self._manifests if id_of(one) == id), None)

    def list(self, group: str, kind: str) -> Sequence[Mapping[str, Any]]:
        return [one for one in self._manifests if (id_of(one).group, id_of(one).kind) == (group, kind)]


def secret(value: str) -> Mapping[str, Any]:
    metadata = {"name": "key", "namespace": "gardens"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"key": value}}


def test_of_a_secret_it_only_knows_whether_it_is_the_same() -> None:
    first, second = (contents(Shown(secret(value)), [KEY]) for value in ("aGVu", "Y2hpY2s="))

    assert "aGVu" not in repr(first)
    assert [path for _, path in foreign_changes(first, second, Written(frozenset({KEY}), {}))] == ["data"]


def test_only_what_is_asked_for_is_looked_at() -> None:
    assert set(contents(Shown(pond(), secret("aGVu")), [POND])) == {POND}


def fleets(*changes: Files) -> list[Cluster]:
    with Engine() as engine:
        return [Judge(engine).read(fleet(files), "commit").clusters[0] for files in changes]


def test_a_phase_writes_what_the_renderings_before_and_after_it_do_not_share() -> None:
    before, after = fleets({}, {"apps/notes.yaml": config("notes", data="{page: two}")})

    written = written_between(before, after)

    notes = ObjectId("", "ConfigMap", "notes", "notes")
    assert written.fields == {notes: frozenset({"data.page"})}
    assert ObjectId("", "ConfigMap", "notes", "memos") in written.rendered


def test_what_two_kustomizations_apply_is_not_compared() -> None:
    again = {"clusters/main/more.yaml": ks("more", "./apps")}
    once, twice = fleets({}, again)

    notes = ObjectId("", "ConfigMap", "notes", "notes")
    assert shared(once) == frozenset()
    assert notes in shared(twice)
    assert notes not in written_between(once, twice).rendered


def test_what_the_operator_takes_over_it_may_write(engine: Engine) -> None:
    (cluster,) = Judge(engine).read(fleet(), "a").clusters
    (source,) = (object for _, object in cluster.objects() if object.id.kind == "GitRepository")
    taken = object_of({**source.data, "spec": {**source.data["spec"], "ref": {"name": "refs/heads/main"}}})

    written = with_taken_over(NOTHING_WRITTEN, cluster, [taken, object_of(config_map("notes"))])

    assert written.fields.keys() == {source.id}
    assert {"spec.ref.branch", "spec.ref.name", f"metadata.labels.{OPERATOR_NAME}"} <= written.fields[source.id]
    assert "spec.url" not in written.fields[source.id]


def config_map(name: str) -> Mapping[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "notes"}}
