"""What the new objects are in the cluster, after every parent's patches: the check of rules.md R12 and R13.

A default that is harmless for an application can uninstall Flux: helm-controller is rolled by the
release that it is working on, and a counted failure of a first install means uninstall.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flux_handover.errors import UnsupportedInstallation
from flux_handover.model.flux import helm_release_of, is_kind
from flux_handover.model.rendering import Build, BuildStatus, Cluster
from flux_handover.objects import HELM_GROUP, mapping
from flux_handover.plan import present
from flux_handover.plan.layout import AppFiles, Layout
from flux_handover.plan.present import Present
from flux_handover.plan.protecting import Override
from flux_handover.plan.target import InstanceForm, Release, Target

_DELETING_POLICIES = ("Delete", "WaitForTermination")


def overrides_needed(cluster: Cluster, target: Target, layout: Layout) -> tuple[Override, ...]:
    """What must be undone for our Kustomizations, judged on a cluster that has them."""
    own = _own(cluster, layout)
    unsafe = _unsafe_actions(cluster) if layout.instance in own else ()
    overrides = list(filter(None, (_override(cluster, layout, app) for app in own)))
    if unsafe:
        overrides = [o for o in overrides if o.app != layout.instance]
        fields = {**dict(_unsafe_fields(cluster.builds[layout.instance.ks])), "patches": None}
        overrides.append(Override(layout.instance, layout.parent, tuple(fields.items()), _why(unsafe)))
    return tuple(overrides)


def check_effective(cluster: Cluster, target: Target, layout: Layout) -> None:
    """Refuses a target that is not safe as the cluster would get it."""
    for app in _own(cluster, layout):
        build = cluster.builds.get(app.ks)
        if build is None or build.status is not BuildStatus.OK:
            reason = build.failure.message if build and build.failure else "nothing applies it"
            raise UnsupportedInstallation(
                f"{app.ks} would not build: {reason}",
                where=app.ks_file,
                hint="name another directory with --place-under",
            )
        wrong = dict(_unsafe_fields(build))
        if wrong:
            raise UnsupportedInstallation(
                f"a patch of {layout.parent} sets {', '.join(sorted(wrong))} of {app.ks}",
                where=app.ks_file,
                hint="exclude it from that patch",
            )
    unsafe = (*_unsafe_actions(cluster), *_identity(cluster, target))
    if unsafe:
        raise UnsupportedInstallation(
            f"the effective {target.instance.id} is not safe: {'; '.join(unsafe)}",
            where=layout.instance.release,
            hint="exclude it from the patches that set this, or use --instance-as manifest",
        )


def _override(cluster: Cluster, layout: Layout, app: AppFiles) -> Override | None:
    build = cluster.builds.get(app.ks)
    wrong = tuple(_unsafe_fields(build)) if build else ()
    why = f"patches of {layout.parent} would set {', '.join(key for key, _ in wrong)} of {app.ks}"
    return Override(app, layout.parent, wrong, why) if wrong else None


def _unsafe_fields(build: Build) -> Iterator[tuple[str, Any]]:
    if build.ks.prune:
        yield "prune", False
    if build.ks.deletion_policy in _DELETING_POLICIES:
        yield "deletionPolicy", None
    if build.ks.suspend:
        yield "suspend", None


def _own(cluster: Cluster, layout: Layout) -> tuple[AppFiles, ...]:
    """The applications that lie where we put them; a person may have put one elsewhere, in any Kustomization."""
    operator, instance = present.operator_release(cluster), present.instance(cluster)
    pairs = ((layout.operator, operator), (layout.instance, instance.found if instance else None))
    return tuple(app for app, found in pairs if found is None or found.owner.id == app.ks)


def _unsafe_actions(cluster: Cluster) -> tuple[str, ...]:
    """What of the effective HelmRelease could uninstall or undo the FluxInstance."""
    found = present.instance(cluster)
    if found is None or found.release is None:
        return ()
    object = found.found.object
    install, upgrade = (mapping(object.spec.get(action)) for action in ("install", "upgrade"))
    return tuple(_unsafe_words(install, upgrade, object.spec))


def _unsafe_words(install: Mapping[str, Any], upgrade: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[str]:
    for name, action in (("install", install), ("upgrade", upgrade)):
        if action.get("disableWait") is not True:
            yield f"{name} waits for what restarts its own controller"
    yield from _unsafe_remedies(mapping(install.get("remediation")), mapping(upgrade.get("remediation")))
    if mapping(mapping(spec.get("values")).get("healthcheck")).get("enabled"):
        yield "the chart's health check counts as a failure"


def _unsafe_remedies(of_install: Mapping[str, Any], of_upgrade: Mapping[str, Any]) -> Iterator[str]:
    if of_install.get("retries"):
        yield "a failed install is uninstalled before it is tried again"
    if of_upgrade.get("retries"):
        yield "a failed upgrade is rolled back or uninstalled"
    strategy = of_upgrade.get("strategy")
    if strategy in ("uninstall", "rollback"):
        yield f"upgrade.remediation.strategy is {strategy}"


def _identity(cluster: Cluster, target: Target) -> Iterator[str]:
    """R13: both releases are the ones that bootstrap installs, found again by name and namespace."""
    instance = present.instance(cluster)
    yield from _misplaced(present.operator_release(cluster), target.operator)
    if target.form is InstanceForm.HELMRELEASE:
        yield from _misplaced(instance.found if instance else None, target.instance)


def _misplaced(found: Present | None, release: Release) -> Iterator[str]:
    if found is None or not is_kind(found.object, HELM_GROUP, "HelmRelease"):
        yield f"{release.id} is not what the Kustomization renders"
        return
    effective = helm_release_of(found.object)
    if effective.release_name != release.name:
        yield f"the release is called {effective.release_name}, not {release.name}"
    if {effective.release_namespace, effective.storage_namespace} != {release.namespace}:
        yield f"the release lies in {effective.release_namespace}, not {release.namespace}"


def _why(unsafe: tuple[str, ...]) -> str:
    return f"defaults for every HelmRelease must not reach the one that restarts its own installer: {'; '.join(unsafe)}"
