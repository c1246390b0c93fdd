"""Where new files go: what bootstrap reads, then what the neighbours do."""

from collections.abc import Mapping

import pytest
from builders import repo, yaml_text
from planning import CASES, DEMO, Reader, tree_of

from flux_handover.errors import HandoverError, UnsupportedInstallation, UsageError
from flux_handover.plan.dictated import dictated
from flux_handover.plan.layout import Layout
from flux_handover.plan.listings import generated_paths, live_listings
from flux_handover.plan.placement import layout_for
from flux_handover.tree import Tree

SOURCE = """
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata:
  name: tower
  namespace: flux-system
spec:
  interval: 1h
  url: https://git.example.org/tower.git
  ref:
    branch: main
"""
FLUX = """
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata:
  name: flux-manifests
  namespace: flux-system
spec:
  interval: 1h
  url: oci://ghcr.io/fluxcd/flux-manifests
  ref:
    tag: v2.6.4
"""


def ks(name: str, path: str, *, source: str = "tower", kind: str = "GitRepository", more: str = "") -> str:
    text = f"""
    ---
    apiVersion: kustomize.toolkit.fluxcd.io/v1
    kind: Kustomization
    metadata:
      name: {name}
      namespace: flux-system
    spec:
      interval: 1h
      path: {path}
      prune: true
      sourceRef:
        kind: {kind}
        name: {source}
    """
    return yaml_text(text) + more


def listing(*entries: str, more: str = "") -> str:
    lines = "".join(f"  - {entry}\n" for entry in entries)
    return f"---\napiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n{more}resources:\n{lines}"


def config_map(name: str, namespace: str) -> str:
    return f"---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  namespace: {namespace}\n"


def base(files: Mapping[str, str], *root_entries: str) -> Tree:
    """A root that lists its own files, and more."""
    own = {
        "top/kustomization.yaml": listing("flux.yaml", "tower.yaml", *root_entries),
        "top/tower.yaml": SOURCE.lstrip() + ks("tower", "./top"),
        "top/flux.yaml": FLUX.lstrip() + ks("flux", "./", source="flux-manifests", kind="OCIRepository"),
    }
    return repo(*(part for pair in {**own, **files}.items() for part in pair))


def placed(reader: Reader, tree: Tree, under: str | None = None) -> Layout:
    snapshot = reader(tree)
    cluster = snapshot.clusters[0]
    return layout_for(snapshot.installations[cluster.name], cluster, tree, under)


def test_the_list_that_brings_the_namespace_of_flux_takes_the_new_entries(reader: Reader) -> None:
    layout = placed(reader, tree_of(CASES / "plan-namespace-directories" / "before"))

    assert layout.listing == "fleet/applications/flux-system/kustomization.yaml"
    assert layout.operator.ks_file == "fleet/applications/flux-system/flux-operator/kustomization-flux.yaml"
    assert layout.operator.directory == "fleet/applications/flux-system/flux-operator/manifests"
    assert layout.operator.entry == "./flux-operator/kustomization-flux.yaml"


def test_directories_of_applications_may_lie_far_from_the_list(reader: Reader) -> None:
    layout = placed(reader, tree_of(CASES / "plan-flat-list" / "before"))

    assert layout.operator.ks_file == "clusters/quay/flux-operator.yaml"
    assert layout.operator.directory == "workloads/flux-operator"
    assert layout.operator.entry == "flux-operator.yaml"


def test_a_list_that_puts_everything_into_the_namespace_of_flux_counts_as_its_list(reader: Reader) -> None:
    layout = placed(reader, tree_of(CASES / "plan-injected-defaults" / "before"))

    assert layout.listing == "base/services/flux-system/kustomization.yaml"
    assert not layout.manners.writes_namespace


def test_the_list_with_the_namespace_itself_comes_before_a_list_that_fills_it(reader: Reader) -> None:
    namespace = "---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: flux-system\n"
    files = {
        "top/kustomization.yaml": listing(
            "flux.yaml", "tower.yaml", "charts.yaml", "apps.yaml", more="namespace: flux-system\n"
        ),
        "top/charts.yaml": ks("charts", "./charts"),
        "charts/kustomization.yaml": listing("map.yaml"),
        "charts/map.yaml": config_map("charts", "flux-system"),
        "top/apps.yaml": ks("apps", "./apps"),
        "apps/kustomization.yaml": listing("./flux", "one.yaml", "two.yaml"),
        "apps/one.yaml": config_map("one", "letters"),
        "apps/two.yaml": config_map("two", "letters"),
        "apps/flux/kustomization.yaml": listing("namespace.yaml", "./addons/ks.yaml"),
        "apps/flux/namespace.yaml": namespace,
        "apps/flux/addons/ks.yaml": ks("addons", "./apps/flux/addons/app", more="  targetNamespace: flux-system\n"),
        "apps/flux/addons/app/kustomization.yaml": listing("map.yaml"),
        "apps/flux/addons/app/map.yaml": config_map("addons", "flux-system"),
    }

    assert placed(reader, base(files)).listing == "apps/flux/kustomization.yaml"


def test_a_template_of_bootstrap_decides_before_any_neighbour(reader: Reader) -> None:
    layout = placed(reader, tree_of(DEMO))

    assert layout.instance.release == "homelab/apps/flux-system/flux-instance/app/helmrelease.yaml"
    assert any("values.yaml.gotmpl" in reason for reason in layout.reasons)


def test_a_named_place_is_refused_where_a_template_decides(reader: Reader) -> None:
    with pytest.raises(UsageError) as refusal:
        placed(reader, tree_of(DEMO), "homelab/apps/welcome")

    assert refusal.value.where == "bootstrap/helmfile.d/templates/values.yaml.gotmpl:1"
    assert "homelab/apps/flux-system/flux-operator/app/helmrelease.yaml" in refusal.value.hint


def test_the_opt_out_label_of_the_repository_is_used(reader: Reader) -> None:
    assert placed(reader, tree_of(DEMO)).opt_outs == {"harbour.example/variables": "none"}


def test_a_generated_directory_does_not_get_an_application_below_it(reader: Reader) -> None:
    tree = base(
        {
            "top/more/kustomization.yaml": listing("workloads.yaml"),
            "top/more/workloads.yaml": ks("workloads", "./workloads"),
            "workloads/a.yaml": config_map("a", "default"),
            "workloads/more/one.yaml": config_map("one", "flux-system"),
        },
        "more",
    )
    snapshot = reader(tree)

    assert generated_paths(snapshot.clusters[0], tree) == {"workloads"}
    with pytest.raises(UsageError):
        placed(reader, tree, "workloads")


def test_a_file_that_the_source_ignores_is_refused(reader: Reader) -> None:
    tree = base({"top/.sourceignore": "/flux-operator\n"})

    with pytest.raises(UnsupportedInstallation, match="would not be in the artifact"):
        placed(reader, tree)


def test_without_any_list_of_kustomizations_the_place_must_be_named(reader: Reader) -> None:
    tree = repo(
        "top/tower.yaml",
        SOURCE.lstrip() + ks("tower", "./top"),
        "top/flux.yaml",
        FLUX.lstrip() + ks("flux", "./", source="flux-manifests", kind="OCIRepository"),
    )

    with pytest.raises(HandoverError) as refusal:
        placed(reader, tree)

    assert "--place-under" in refusal.value.hint


def test_lists_that_only_other_sources_read_do_not_count(reader: Reader) -> None:
    tree = base({"kustomization.yaml": listing("flux-manifests.yaml")})
    snapshot = reader(tree)

    paths = [one.path for one in live_listings(snapshot.clusters[0], tree)]

    assert paths == ["top/kustomization.yaml"]


def test_only_templates_that_a_release_names_decide() -> None:
    text = '{{ (readFile (printf "../%s/%s.yaml" .Release.Namespace .Release.Name)) }}\n'
    named = "releases:\n  - name: a\n    values: [./t/values.gotmpl]\n"

    assert dictated(repo("boot/t/values.gotmpl", text)) is None
    rule = dictated(repo("boot/t/values.gotmpl", text, "boot/helmfile.yaml", named))
    assert rule is not None
    assert rule.path_for("flux-system", "flux-operator") == "boot/flux-system/flux-operator.yaml"
    assert str(rule.where) == "boot/t/values.gotmpl:1"


@pytest.mark.parametrize(
    "text",
    [
        "{{ .Values | toYaml }}",
        '{{ readFile "static.yaml" }}',
        '{{ readFile (printf "%s/%s" .Release.Name) }}',
    ],
)
def test_a_template_that_computes_no_path_decides_nothing(text: str) -> None:
    named = "releases:\n  - name: a\n    values: [values.gotmpl]\n"

    assert dictated(repo("values.gotmpl", text, "helmfile.yaml", named)) is None
