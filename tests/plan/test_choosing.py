"""The target that keeps every setting, and what is refused before anything is drafted."""

from dataclasses import replace
from typing import Any

import pytest
from planning import CASES, Reader, installation, tree_of

from flux_handover.errors import HandoverError, UnsupportedInstallation, UsageError
from flux_handover.model.installation import Method
from flux_handover.objects import object_of
from flux_handover.plan.choosing import choose_target, running_components
from flux_handover.plan.target import InstanceForm, Options, SyncStrategy, Target

BEFORE = CASES / "plan-namespace-directories" / "before"


def target(reader: Reader, options: Options | None = None, **fields: Any) -> Target:
    """The target of a case, with some facts of its installation changed."""
    snapshot = reader(tree_of(BEFORE))
    cluster = snapshot.clusters[0]
    found = snapshot.installations[cluster.name]
    return choose_target(replace(found, **fields), cluster, snapshot.tree, options or Options())


def refusal(reader: Reader, options: Options | None = None, **fields: Any) -> HandoverError:
    with pytest.raises(HandoverError) as caught:
        target(reader, options, **fields)
    return caught.value


def test_the_version_is_exactly_the_one_that_runs(reader: Reader) -> None:
    chosen = target(reader)

    assert chosen.flux_version == "v2.7.5"
    assert chosen.distribution["version"] == "2.7.5"
    assert chosen.instance.values["instance"]["distribution"]["version"] == "2.7.5"


def test_the_artifact_is_the_one_inside_the_operator(reader: Reader) -> None:
    assert target(reader).instance.values["instance"]["distribution"]["artifact"] == ""
    assert "artifact" not in target(reader).spec["distribution"]


def test_a_flux_instance_is_kept_when_its_release_goes(reader: Reader) -> None:
    assert target(reader).instance.values["commonAnnotations"] == {"helm.sh/resource-policy": "keep"}


def test_nothing_syncs_that_did_not_before(reader: Reader) -> None:
    chosen = target(reader)

    assert "sync" not in chosen.spec
    assert "sync" not in chosen.instance.values["instance"]


def test_all_components_that_run_go_on(reader: Reader) -> None:
    assert target(reader).components == (
        "source-controller",
        "kustomize-controller",
        "helm-controller",
        "notification-controller",
        "image-reflector-controller",
        "image-automation-controller",
    )


def test_a_component_whose_deployment_was_deleted_keeps_its_crds() -> None:
    without = tuple(
        object
        for object in installation().live
        if (object.id.kind, object.id.name) != ("Deployment", "image-automation-controller")
    )

    assert "image-automation-controller" in running_components(installation(live=without))


def test_a_component_of_which_nothing_is_left_does_not_come_back() -> None:
    label = "app.kubernetes.io/component"
    without = tuple(o for o in installation().live if not str(o.labels.get(label, "")).startswith("image-"))

    assert running_components(installation(live=without)) == (
        "source-controller",
        "kustomize-controller",
        "helm-controller",
        "notification-controller",
    )


def test_operator_and_instance_have_the_same_version(reader: Reader) -> None:
    chosen = target(reader)

    assert chosen.operator.version == chosen.instance.version == chosen.operator_version.removeprefix("v")


@pytest.mark.parametrize("asked", ["0.40.0", "v0.40.0"])
def test_an_operator_can_be_asked_for(asked: str, reader: Reader) -> None:
    assert target(reader, Options(operator_version=asked)).operator_version == "v0.40.0"


def test_an_operator_that_opens_a_port_is_told_not_to(reader: Reader) -> None:
    assert target(reader).operator.values["web"] == {"enabled": False}
    assert "web" not in target(reader, Options(operator_version="0.32.0"), version="v2.6.4").operator.values


def test_an_operator_without_known_charts_may_be_asked_for_and_is_said_so(reader: Reader) -> None:
    chosen = target(reader, Options(operator_version="0.58.1"))

    assert any("charts of operator v0.58.1 are not known" in note for note in chosen.notes)


def test_an_operator_that_protects_nothing_is_refused(reader: Reader) -> None:
    assert "v0.28.0" in refusal(reader, Options(operator_version="0.27.0")).hint


def test_an_unknown_operator_is_refused(reader: Reader) -> None:
    error = refusal(reader, Options(operator_version="9.9.9"))

    assert isinstance(error, UsageError)
    assert "known are" in error.hint


def test_an_operator_that_does_not_serve_the_running_flux_is_refused_with_its_place(reader: Reader) -> None:
    error = refusal(reader, Options(operator_version="0.28.0"))

    assert isinstance(error, UnsupportedInstallation)
    assert error.where == "fleet/cluster/toolkit.yaml:12"
    assert "v0.50.0 serves it" in error.hint


def test_a_refusal_never_leads_back_to_an_older_minor(reader: Reader) -> None:
    error = refusal(reader, version="v2.9.4")

    assert "--operator-version" in error.hint
    assert "v2.8" not in error.hint


def test_an_unknown_flux_is_refused(reader: Reader) -> None:
    error = refusal(reader, version="v2.99.0")

    assert "nothing is known about Flux v2.99.0" in error.message
    assert error.where == "fleet/cluster/toolkit.yaml:12"


@pytest.mark.parametrize("method", [Method.TERRAFORM, Method.MANAGED, Method.UNKNOWN])
def test_a_method_that_is_not_built_is_refused(method: Method, reader: Reader) -> None:
    assert isinstance(refusal(reader, method=method), UnsupportedInstallation)


def test_a_transfer_has_no_sync_until_everything_else_is_done(reader: Reader) -> None:
    chosen = target(reader, Options(sync=SyncStrategy.TRANSFER))

    assert chosen.synced == {}
    assert chosen.transfer is not None
    assert "sync" not in chosen.spec


def test_a_root_with_another_name_than_its_source_cannot_be_adopted(reader: Reader) -> None:
    assert "a sync gives one name to both" in refusal(reader, Options(sync=SyncStrategy.ADOPT)).message


def test_a_place_can_be_named(reader: Reader) -> None:
    chosen = target(reader, Options(place_under="./fleet/applications/pasture/"))

    assert chosen.layout.listing == "fleet/applications/pasture/kustomization.yaml"


def test_a_place_that_flux_does_not_read_is_refused(reader: Reader) -> None:
    assert "Flux reads" in refusal(reader, Options(place_under="fleet/install")).hint


def test_the_manifest_has_no_values_but_the_same_spec(reader: Reader) -> None:
    chosen = target(reader, Options(instance_as=InstanceForm.MANIFEST))

    assert chosen.spec["components"] == list(chosen.components)
    assert chosen.spec["kustomize"]["patches"][0]["target"] == {
        "kind": "Deployment",
        "name": "(kustomize|helm)-controller",
    }


def test_common_metadata_of_the_owner_goes_on_every_object_of_flux(reader: Reader) -> None:
    snapshot = reader(tree_of(BEFORE))
    cluster = snapshot.clusters[0]
    found = snapshot.installations[cluster.name]
    assert found.owner is not None
    build = cluster.builds[found.owner]
    spec = {**build.ks.object.spec, "commonMetadata": {"labels": {"team": "platform"}}}
    ks = replace(build.ks, object=object_of({**build.ks.object.data, "spec": spec}))
    changed = replace(cluster, builds={**cluster.builds, build.id: replace(build, ks=ks)})

    assert choose_target(found, changed, snapshot.tree, Options()).spec["commonMetadata"] == {
        "labels": {"team": "platform"}
    }
