"""How a counterexample reads."""

from __future__ import annotations

from proof.worlds import config, ks

from flux_handover.proof.trace import Counterexample, numbered, shape


def test_a_trace_is_counted_from_one() -> None:
    trace = numbered([("user", "pushes revision 2"), ("kustomize-controller", "deletes ConfigMap/shop/a")])

    assert [str(step) for step in trace] == [
        "1. user pushes revision 2",
        "2. kustomize-controller deletes ConfigMap/shop/a",
    ]


def test_its_shape_names_objects_in_full() -> None:
    counterexample = Counterexample("E1", (ks("apps"), config("a")), numbered([("user", "waits")]))

    assert shape(counterexample) == {
        "lost": ["Kustomization.kustomize.toolkit.fluxcd.io/flux-system/apps", "ConfigMap/shop/a"],
        "trace": [{"n": 1, "actor": "user", "event": "waits"}],
    }
