"""Every setting in every spelling: what a FluxInstance renders has it as the cluster has it today."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bootstrapped import HOME, aviary, components
from builders import documents_of, text_of
from planning import Reader

from flux_handover.model.effective_kept import lost
from flux_handover.model.instance import render_instance
from flux_handover.objects import OPERATOR_GROUP, Object
from flux_handover.plan.choosing import choose_target
from flux_handover.plan.target import Options, Target
from flux_handover.tree import Tree

DEPLOYMENT = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n  namespace: flux-system\n"


def merged(name: str, body: str, target: str = "") -> str:
    """A strategic merge patch; `body` is YAML below `spec.template.spec`."""
    text = DEPLOYMENT.format(name=name) + "spec:\n  template:\n    spec:\n" + indented(body, 6)
    return entry(text, target)


def container(name: str, body: str, target: str = "") -> str:
    """A strategic merge patch of the manager's container."""
    return merged(name, "containers:\n- name: manager\n" + indented(body, 2), target)


def operations(body: str, target: str) -> str:
    """A JSON 6902 patch."""
    return entry(body, target)


def entry(text: str, target: str) -> str:
    ends = f"  target: {{{target}}}\n" if target else ""
    return "- patch: |\n" + indented(text, 4) + ends


def manifest(kind: str, name: str, more: str, api: str = "v1", target: str = "") -> str:
    """A strategic merge patch of an object by its name and namespace, without a target."""
    head = f"apiVersion: {api}\nkind: {kind}\nmetadata:\n  name: {name}\n  namespace: flux-system\n"
    return entry(head + more, target)


def indented(text: str, by: int) -> str:
    return "".join(f"{' ' * by}{line}\n" for line in text.strip("\n").splitlines())


def argument(value: str) -> str:
    return f"- op: add\n  path: /spec/template/spec/containers/0/args/-\n  value: {value}\n"


ALL = "kind: Deployment"
DELETED = "$patch: delete\n"
POLICIES = "networking.k8s.io/v1"
KUSTOMIZE = "kind: Deployment, name: kustomize-controller"
HELM = "kind: Deployment, name: helm-controller"
SOURCES = "kind: Deployment, name: source-controller"
PATCHES = {
    "concurrency by append": operations(
        argument("--concurrent=8"), 'kind: Deployment, name: "(kustomize|helm)-controller"'
    ),
    "concurrency by index": operations(
        "- op: add\n  path: /spec/template/spec/containers/0/args/0\n  value: --concurrent=9", KUSTOMIZE
    ),
    "log level by index": operations(
        "- op: replace\n  path: /spec/template/spec/containers/0/args/2\n  value: --log-level=debug", HELM
    ),
    "log level by append": operations(argument("--log-level=error"), ALL),
    "requeue in a namespace": operations(argument("--requeue-dependency=5s"), f"{KUSTOMIZE}, namespace: flux-system"),
    "qps and burst": operations(argument("--kube-api-qps=500") + argument("--kube-api-burst=1000"), KUSTOMIZE),
    "qps by a label of the installation": operations(
        argument("--kube-api-qps=60"), "labelSelector: app.kubernetes.io/instance=flux-system, kind: Deployment"
    ),
    "qps by part-of": operations(
        argument("--kube-api-qps=61"), "labelSelector: app.kubernetes.io/part-of=flux, kind: Deployment"
    ),
    "qps by version": operations(
        argument("--kube-api-qps=62"), 'labelSelector: "app.kubernetes.io/version=v2.6.4", kind: Deployment'
    ),
    "all arguments anew": container(
        "helm-controller",
        "args:\n- --events-addr=http://notification-controller.flux-system.svc.cluster.local./\n"
        "- --watch-all-namespaces=true\n- --log-level=info\n- --log-encoding=json\n- --enable-leader-election\n"
        "- --concurrent=12",
    ),
    "oom watch": operations(
        argument("--feature-gates=OOMWatch=true")
        + argument("--oom-watch-memory-threshold=95")
        + argument("--oom-watch-interval=500ms"),
        HELM,
    ),
    "dead gates": operations(argument("--feature-gates=DetectDrift=true,CorrectDrift=false"), HELM),
    "helm cache": operations(
        argument("--helm-cache-max-size=10")
        + argument("--helm-cache-ttl=60m")
        + argument("--helm-cache-purge-interval=5m"),
        SOURCES,
    ),
    "limits by merge with the namespace": container(
        "kustomize-controller", "resources:\n  limits: {cpu: 2000m, memory: 2Gi}"
    ),
    "limits by merge with a target": container(
        "all", "resources:\n  limits: {memory: 3Gi}", 'kind: Deployment, name: "(source|helm)-controller"'
    ),
    "limits by replace": operations(
        "- op: replace\n  path: /spec/template/spec/containers/0/resources/limits/memory\n  value: 4Gi", ALL
    ),
    "a limit taken away": operations(
        "- op: remove\n  path: /spec/template/spec/containers/0/resources/limits/cpu", ALL
    ),
    "requests": container("source-controller", "resources:\n  requests: {cpu: 200m, memory: 128Mi}"),
    "limits that are null": container("helm-controller", "resources:\n  limits:\n    cpu: null"),
    "temporary files in memory by merge": merged(
        "kustomize-controller", "volumes:\n- name: temp\n  emptyDir:\n    medium: Memory\n"
    ),
    "temporary files in memory by replace": operations(
        "- op: replace\n  path: /spec/template/spec/volumes/0\n"
        "  value:\n    name: temp\n    emptyDir:\n      medium: Memory",
        KUSTOMIZE,
    ),
    "a volume and its claim": merged(
        "source-controller",
        "containers:\n- name: manager\n  volumeMounts:\n  - {name: more, mountPath: /more}\n"
        "volumes:\n- name: more\n  persistentVolumeClaim: {claimName: nest}\n",
    ),
    "tolerations": merged("any", "tolerations:\n- {key: perch, operator: Exists, effect: NoSchedule}", ALL),
    "node selector": merged("any", "nodeSelector:\n  perch: high", ALL),
    "affinity": merged(
        "any",
        "affinity:\n  nodeAffinity:\n    requiredDuringSchedulingIgnoredDuringExecution:\n      nodeSelectorTerms:\n"
        "      - matchExpressions:\n        - {key: perch, operator: In, values: [high]}",
        ALL,
    ),
    "priority class": merged("any", "priorityClassName: system-node-critical", ALL),
    "host network": merged("source-controller", "hostNetwork: true\ndnsPolicy: ClusterFirstWithHostNet"),
    "host aliases": merged("source-controller", "hostAliases:\n- {ip: 10.0.0.1, hostnames: [git.example.org]}"),
    "environment": container("source-controller", "env:\n- {name: HTTPS_PROXY, value: http://proxy.example.org}"),
    "environment from a secret": container("kustomize-controller", "envFrom:\n- secretRef: {name: keys}"),
    "environment by append": operations(
        "- op: add\n  path: /spec/template/spec/containers/0/env/-\n  value: {name: NEST, value: oak}", ALL
    ),
    "tenancy": operations(
        argument("--no-cross-namespace-refs=true"), 'kind: Deployment, name: "(kustomize|helm|notification)-controller"'
    ),
    "no remote bases": operations(argument("--no-remote-bases=true"), KUSTOMIZE),
    "a default account": operations(
        argument("--default-service-account=default"), 'kind: Deployment, name: "(kustomize|helm)-controller"'
    ),
    "one key for all": operations(argument("--sops-age-secret=nest-key"), KUSTOMIZE),
    "configs that are watched": operations(
        argument("--watch-configs-label-selector=owner!=helm"), 'kind: Deployment, name: "(kustomize|helm)-controller"'
    ),
    "workload identity by annotation": entry(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: kustomize-controller\n  namespace: flux-system\n"
        "  annotations:\n    eks.amazonaws.com/role-arn: arn:aws:iam::1:role/nest\n",
        "",
    ),
    "an annotation added by path": operations(
        "- op: add\n  path: /metadata/annotations\n  value: {azure.workload.identity/client-id: nest}",
        "kind: ServiceAccount, name: source-controller",
    ),
    "pod labels": entry(
        DEPLOYMENT.format(name="source-controller") + "spec:\n  template:\n    metadata:\n      labels:\n"
        "        azure.workload.identity/use: 'true'\n",
        "",
    ),
    "an account that goes": manifest("ServiceAccount", "notification-controller", DELETED),
    "policies that go": entry(
        "$patch: delete\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: any}\n",
        "kind: NetworkPolicy",
    ),
    "one policy that goes": manifest("NetworkPolicy", "allow-webhooks", DELETED, POLICIES),
    "policies one by one": "".join(
        manifest("NetworkPolicy", name, DELETED, POLICIES)
        for name in ("allow-egress", "allow-scraping", "allow-webhooks")
    ),
    "a pull secret": merged("any", "imagePullSecrets:\n- name: registry", ALL),
    "a quota": manifest("ResourceQuota", "critical-pods-flux-system", "spec:\n  hard:\n    pods: '50'\n"),
    "a probe": container("helm-controller", "livenessProbe:\n  timeoutSeconds: 9"),
    "a restricted role": operations(
        "- op: remove\n  path: /rules/0", "kind: ClusterRole, name: crd-controller-flux-system"
    ),
    "a label of the Namespace": entry(
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: flux-system\n  labels:\n"
        "    pod-security.kubernetes.io/enforce: restricted\n",
        "",
    ),
    "two patches of one list": operations(argument("--concurrent=4"), KUSTOMIZE)
    + operations(argument("--concurrent=6"), KUSTOMIZE),
    "an argument that was appended and then replaced by position": operations(argument("--concurrent=4"), KUSTOMIZE)
    + operations("- op: replace\n  path: /spec/template/spec/containers/0/args/5\n  value: --concurrent=7", KUSTOMIZE),
    "security": merged("source-controller", "securityContext:\n  fsGroup: 1338"),
    "a sidecar": merged("source-controller", "containers:\n- name: proxy\n  image: registry.example.org/proxy:1"),
    "replicas by patch": entry(DEPLOYMENT.format(name="helm-controller") + "spec:\n  replicas: 0\n", ""),
}
FIELDS = {
    "patches of the old kind": "patchesStrategicMerge:\n- |-\n"
    + indented(DEPLOYMENT.format(name="helm-controller"), 2)
    + "  spec:\n    template:\n      spec:\n        priorityClassName: high\n",
    "replicas": "replicas:\n- name: helm-controller\n  count: 2\n",
    "images": "images:\n- name: ghcr.io/fluxcd/helm-controller\n"
    "  newName: registry.example.org/fluxcd/helm-controller\n",
    "an image at another tag": "images:\n- name: ghcr.io/fluxcd/helm-controller\n  newTag: v1.2.0\n",
    "all images": "images:\n"
    + "".join(
        f"- name: ghcr.io/fluxcd/{name}\n  newName: registry.example.org/fluxcd/{name}\n"
        for name in ("helm-controller", "kustomize-controller", "source-controller", "notification-controller")
    ),
    "labels": "labels:\n- pairs: {team: birds}\n",
    "annotations": "commonAnnotations: {team: birds}\n",
}


def target_of(tree: Tree, reader: Reader) -> Target:
    snapshot = reader(tree)
    cluster = snapshot.clusters[0]
    return choose_target(snapshot.installations[cluster.name], cluster, tree, Options())


def rendered(target: Target, reader: Reader) -> tuple[Object, ...]:
    metadata = {"name": "flux", "namespace": target.namespace}
    instance = {
        "apiVersion": f"{OPERATOR_GROUP}/v1",
        "kind": "FluxInstance",
        "metadata": metadata,
        "spec": dict(target.spec),
    }
    return render_instance(instance, reader.engine, operator_version=target.operator_version)


@pytest.mark.parametrize("name", PATCHES)
def test_a_patched_setting_is_effective_as_before(name: str, reader: Reader) -> None:
    tree = aviary("patches:\n" + PATCHES[name])
    installation = reader(tree).installations["clusters/aviary"]

    assert [s for s in installation.settings if s.kind.value != "sync"], "the patch changes something"
    found = rendered(target_of(tree, reader), reader)

    assert lost(installation.live, found, renamed=dict(installation.renamed)) == ()


@pytest.mark.parametrize("name", FIELDS)
def test_a_setting_by_a_field_is_effective_as_before(name: str, reader: Reader) -> None:
    tree = aviary(FIELDS[name])
    installation = reader(tree).installations["clusters/aviary"]
    found = rendered(target_of(tree, reader), reader)

    assert lost(installation.live, found, renamed=dict(installation.renamed)) == ()


def pods(manifests: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    yield from (one["spec"]["template"]["spec"] for one in manifests if one["kind"] == "Deployment")


def tolerating(manifests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for pod in pods(manifests):
        pod["tolerations"] = [{"key": "perch", "operator": "Exists"}]
    return manifests


def pulling(manifests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for pod in pods(manifests):
        pod["imagePullSecrets"] = [{"name": "registry"}]
    return manifests


def limited(manifests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for pod in pods(manifests):
        pod["containers"][0]["resources"]["limits"]["memory"] = "2Gi"
    return manifests


def open_to_all(manifests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in manifests if one["kind"] != "NetworkPolicy"]


def written(old: str, new: str) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    def changed(manifests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        text = text_of(manifests)
        assert old in text
        return documents_of(text.replace(old, new))

    return changed


def without(kind: str, name: str) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    def changed(manifests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        left = [one for one in manifests if (one["kind"], one["metadata"]["name"]) != (kind, name)]
        assert len(left) == len(manifests) - 1
        return left

    return changed


WRITTEN = {
    "--log-level": written("--log-level=info", "--log-level=debug"),
    "--watch-all-namespaces": written("--watch-all-namespaces=true", "--watch-all-namespaces=false"),
    "--registry": written("ghcr.io/fluxcd/", "registry.example.org/fluxcd/"),
    "--cluster-domain": written(".svc.cluster.local.", ".svc.birds.example."),
    "--toleration-keys": tolerating,
    "--image-pull-secret": pulling,
    "--network-policy": open_to_all,
    "limits by hand": limited,
    "a binding that is missing": without("ClusterRoleBinding", "crd-controller-flux-system"),
    "a quota that is missing": without("ResourceQuota", "critical-pods-flux-system"),
    "an account that is missing": without("ServiceAccount", "notification-controller"),
    "one policy that is missing": without("NetworkPolicy", "allow-webhooks"),
    "a gate by hand": written("- --log-level=info", "- --log-level=info\n        - --feature-gates=DetectDrift=true"),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_a_setting_that_the_command_wrote_into_the_manifests_is_effective_as_before(name: str, reader: Reader) -> None:
    manifests = WRITTEN[name](documents_of(components()))
    tree = aviary(**{f"{HOME}/gotk-components.yaml": text_of(manifests)})
    installation = reader(tree).installations["clusters/aviary"]

    found = rendered(target_of(tree, reader), reader)

    assert [setting for setting in installation.settings if setting.kind.value != "sync"]
    assert lost(installation.live, found, renamed=dict(installation.renamed)) == ()


def test_one_patch_serves_all_controllers_that_need_it(reader: Reader) -> None:
    manifests = WRITTEN["--log-level"](documents_of(components()))
    tree = aviary(**{f"{HOME}/gotk-components.yaml": text_of(manifests)})

    patches = [patch for patch in target_of(tree, reader).patches if "--log-level=debug" in patch.patch]

    assert len(patches) == 1
    assert dict(patches[0].target)["name"].count("|") == 3


def test_a_field_of_a_list_that_has_patches_too_is_carried(reader: Reader) -> None:
    tree = aviary("patches:\n" + PATCHES["qps and burst"] + FIELDS["replicas"] + FIELDS["an image at another tag"])
    installation = reader(tree).installations["clusters/aviary"]

    found = rendered(target_of(tree, reader), reader)

    assert lost(installation.live, found, renamed=dict(installation.renamed)) == ()
