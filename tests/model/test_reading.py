"""From files to clusters: which roots there are, and what lives below them."""

from __future__ import annotations

import threading

import pytest
from builders import repo

from flux_handover.adapters.engine import Engine
from flux_handover.model.building import Builder
from flux_handover.model.earlier import Earlier
from flux_handover.model.installation import Installation, Method
from flux_handover.model.reading import Reading, take_snapshot, take_snapshot_after
from flux_handover.model.rendering import Build, BuildStatus, Cluster
from flux_handover.model.snapshot import Snapshot
from flux_handover.objects import KUSTOMIZE_GROUP, ObjectId
from flux_handover.tree import Tree


def nothing_installed(cluster: Cluster, tree: Tree, builder: Builder) -> Installation:
    return Installation(cluster.name, Method.UNKNOWN, "", "", (), None, None, (), (), (), (), ())


def read(engine: Engine, tree: Tree, root: str | None = None, previous: Snapshot | None = None) -> Snapshot:
    return take_snapshot(tree, "HEAD", engine, nothing_installed, Reading(root), previous)


def ks(name: str, namespace: str = "flux-system") -> ObjectId:
    return ObjectId(KUSTOMIZE_GROUP, "Kustomization", namespace, name)


def kustomization(name: str, path: str, extra: str = "", source: str = "fleet") -> str:
    return f"""
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: {name}, namespace: flux-system}}
spec:
  interval: 1h
  path: {path}
  prune: true
  sourceRef: {{kind: GitRepository, name: {source}}}
{extra}"""


SOURCE = """
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: fleet, namespace: flux-system}
spec:
  interval: 1h
  url: https://git.example.org/ada/fleet.git
  ref: {branch: main}
"""


def config_map(name: str, **entries: str) -> str:
    lines = "".join(f"  {key}: {value}\n" for key, value in entries.items())
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  namespace: flux-system\ndata:\n{lines}"


def fleet(*files: str, extra: str = "") -> Tree:
    """A cluster whose root `base` applies itself from k8s/base; more files as in `repo`."""
    return repo(
        "k8s/base/source.yaml", SOURCE, "k8s/base/root.yaml", kustomization("base", "./k8s/base", extra), *files
    )


def only(snapshot: Snapshot) -> Cluster:
    assert len(snapshot.clusters) == 1
    return snapshot.clusters[0]


def build_of(snapshot: Snapshot, name: str) -> Build:
    return only(snapshot).builds[ks(name)]


def test_a_kustomization_that_applies_itself_is_a_root(engine: Engine) -> None:
    cluster = only(read(engine, fleet()))

    assert (cluster.name, cluster.root) == ("k8s/base", ks("base"))
    assert cluster.builds[ks("base")].parent == ks("base")


def test_a_kustomization_whose_path_does_not_hold_it_is_no_root(engine: Engine) -> None:
    tree = repo("a/source.yaml", SOURCE, "a/app.yaml", kustomization("app", "./b"), "b/x.yaml", config_map("x", a="b"))

    snapshot = read(engine, tree)

    assert (snapshot.clusters, snapshot.candidates) == ((), ("b",))


def test_a_listed_kustomization_yaml_decides_whether_a_root_applies_itself(engine: Engine) -> None:
    """The file lies in its own path, but nothing lists it."""
    tree = fleet("k8s/base/kustomization.yaml", "resources: [source.yaml]\n")

    assert read(engine, tree).clusters == ()


def test_a_child_that_applies_itself_belongs_to_the_root_above_it(engine: Engine) -> None:
    child = kustomization("child", "./k8s/base/child")

    cluster = only(read(engine, fleet("k8s/base/child/ks.yaml", child)))

    assert list(cluster.builds) == [ks("base"), ks("child")]
    assert cluster.builds[ks("child")].parent == ks("base")


def test_two_roots_are_two_clusters_in_order_of_their_paths(engine: Engine) -> None:
    tree = repo(
        *("z/source.yaml", SOURCE, "z/root.yaml", kustomization("base", "./z")),
        *("a/source.yaml", SOURCE, "a/root.yaml", kustomization("base", "./a")),
    )

    assert [cluster.name for cluster in read(engine, tree).clusters] == ["a", "z"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("README.md", "Run\n\n    flux bootstrap github --owner=ada \\\n      --path=clusters/one\n"),
        (".github/workflows/x.yaml", "run: flux bootstrap git --path clusters/one --url=ssh://git@example.org/x\n"),
        ("infra/flux.tf", 'resource "flux_bootstrap_git" "this" {\n  path = "clusters/one"\n}\n'),
        ("Taskfile.yaml", "cmds:\n  - kubectl apply -f {{.ROOT}}/clusters/entry.yaml\n  # bootstrap flux\n"),
    ],
)
def test_a_root_that_is_in_no_synced_file_is_known_from_what_bootstraps_it(
    engine: Engine, file: str, text: str
) -> None:
    tree = repo(
        *("clusters/one/apps.yaml", kustomization("apps", "./apps"), "apps/x.yaml", config_map("x", a="b")),
        *("clusters/entry.yaml", kustomization("entry", "./clusters/one") + "---" + SOURCE, file, text),
    )

    cluster = only(read(engine, tree))

    assert cluster.name == "clusters/one"
    assert ks("apps") in cluster.builds


LIST = "resources: [source.yaml, apps.yaml]\n"


def by_hand(*files: str) -> Tree:
    apps = kustomization("apps", "./apps")
    return repo(
        *("hand/kustomization.yaml", LIST, "hand/source.yaml", SOURCE, "hand/apps.yaml", apps),
        *("apps/x.yaml", config_map("x", a="b"), *files),
    )


def test_a_list_that_nothing_reads_was_applied_by_hand(engine: Engine) -> None:
    assert only(read(engine, by_hand())).root == ks("apps")


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("other/kustomization.yaml", "resources: [../hand]\n"),
        ("other/kustomization.yaml", "resources: [../hand/apps.yaml]\n"),
        ("other/child.yaml", kustomization("child", "./hand")),
        ("hand/kustomization.yaml", "resources: [source.yaml]\n"),
        ("hand/source.yaml", SOURCE.replace("name: fleet", "name: elsewhere")),
    ],
)
def test_a_list_that_something_reads_or_that_lacks_the_source_is_no_root(engine: Engine, file: str, text: str) -> None:
    snapshot = read(engine, by_hand(file, text))
    assert snapshot.clusters == ()
    assert "apps" in snapshot.candidates


def test_a_root_may_be_named_by_a_person(engine: Engine) -> None:
    tree = repo("live/apps.yaml", kustomization("apps", "./apps"), "apps/x.yaml", config_map("x", a="b"))

    cluster = only(read(engine, tree, root="./live/"))

    assert (cluster.name, cluster.origin) == ("live", "--root")


def test_a_flux_instance_that_syncs_gives_the_root(engine: Engine) -> None:
    instance = """
        apiVersion: fluxcd.controlplane.io/v1
        kind: FluxInstance
        metadata: {name: flux, namespace: flux-system}
        spec:
          distribution: {version: 2.6.4, registry: ghcr.io/fluxcd}
          sync: {kind: GitRepository, url: "https://git.example.org/x", ref: refs/heads/main, path: live}
        """

    cluster = only(read(engine, repo("boot/instance.yaml", instance, "live/x.yaml", config_map("x", a="b"))))

    assert (cluster.name, cluster.root) == ("live", ks("flux-system"))


RELEASE = """
    apiVersion: helm.toolkit.fluxcd.io/v2
    kind: HelmRelease
    metadata: {name: flux, namespace: flux-system}
    spec:
      values:
        instance: {components: [source-controller], sync: {url: "https://git.example.org/x", path: ./live}}
    """
VALUES = """
    instance:
      cluster: {networkPolicy: false}
      sync: {url: "https://git.example.org/x", path: live}
    """


@pytest.mark.parametrize(("file", "text"), [("boot/release.yaml", RELEASE), ("boot/values.yaml", VALUES)])
def test_values_of_the_instance_chart_give_the_root_though_the_version_is_the_charts(
    engine: Engine, file: str, text: str
) -> None:
    cluster = only(read(engine, repo(file, text, "live/x.yaml", config_map("x", a="b"))))

    assert (cluster.name, cluster.root) == ("live", ks("flux-system"))


def test_a_sync_in_the_values_of_another_chart_is_no_root(engine: Engine) -> None:
    other = RELEASE.replace("components: [source-controller], ", "replicas: 2, ")

    assert read(engine, repo("boot/release.yaml", other, "live/x.yaml", config_map("x", a="b"))).clusters == ()


def test_patches_of_two_parents_reach_a_grandchild(engine: Engine) -> None:
    outer = """
  patches:
    - target: {kind: Kustomization}
      patch: |
        apiVersion: kustomize.toolkit.fluxcd.io/v1
        kind: Kustomization
        metadata: {name: any}
        spec:
          patches:
            - target: {kind: Kustomization}
              patch: '[{"op": "add", "path": "/spec/prune", "value": false}]'
"""
    tree = fleet(
        *("k8s/base/apps.yaml", kustomization("apps", "./k8s/apps", outer)),
        *("k8s/apps/mid.yaml", kustomization("mid", "./k8s/mid")),
        *("k8s/mid/leaf.yaml", kustomization("leaf", "./k8s/leaf")),
        *("k8s/leaf/x.yaml", config_map("x", a="b")),
    )

    snapshot = read(engine, tree)

    assert build_of(snapshot, "mid").ks.prune
    assert not build_of(snapshot, "leaf").ks.prune


def test_a_root_lives_with_the_spec_that_it_renders_of_itself(engine: Engine) -> None:
    """As `flux bootstrap` users do it: the sync file is patched by the kustomization.yaml beside it."""
    patched = """
        resources: [root.yaml, source.yaml]
        patches:
          - target: {kind: Kustomization, name: base}
            patch: '[{"op": "add", "path": "/spec/decryption", "value": {"provider": "sops"}}]'
        """

    snapshot = read(engine, fleet("k8s/base/kustomization.yaml", patched))

    assert build_of(snapshot, "base").ks.decrypts


def test_variables_come_from_a_config_map_that_another_kustomization_renders(engine: Engine) -> None:
    post_build = "  postBuild: {substituteFrom: [{kind: ConfigMap, name: settings}]}\n"
    tree = fleet(
        *("k8s/base/apps.yaml", kustomization("apps", "./k8s/apps", post_build)),
        *("k8s/base/vars.yaml", kustomization("vars", "./k8s/vars")),
        *("k8s/vars/settings.yaml", config_map("settings", ZONE="blue")),
        *("k8s/apps/x.yaml", config_map("x-${ZONE}", zone="${ZONE}")),
    )

    apps = build_of(read(engine, tree), "apps")

    assert [object.id.name for object in apps.objects] == ["x-blue"]


def test_a_root_may_take_variables_from_a_config_map_it_renders_itself(engine: Engine) -> None:
    post_build = "  postBuild: {substituteFrom: [{kind: ConfigMap, name: settings}]}\n"
    tree = fleet(
        *("k8s/base/settings.yaml", config_map("settings", ZONE="blue")),
        *("k8s/base/x.yaml", config_map("x-${ZONE}", a="b")),
        extra=post_build,
    )

    names = {object.id.name for object in build_of(read(engine, tree), "base").objects}

    assert "x-blue" in names


SECRET = """
apiVersion: v1
kind: Secret
metadata: {name: hidden, namespace: flux-system}
stringData: {DOMAIN: "ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]"}
sops: {mac: "ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]"}
"""


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (config_map("x", host="app.${DOMAIN}"), BuildStatus.OK),
        (config_map("x-${DOMAIN}", a="b"), BuildStatus.UNKNOWN),
        (kustomization("leaf", "./k8s/${DOMAIN}"), BuildStatus.UNKNOWN),
    ],
)
def test_a_secret_variable_may_be_a_value_but_not_decide(engine: Engine, text: str, status: BuildStatus) -> None:
    post_build = "  postBuild: {substituteFrom: [{kind: Secret, name: hidden}]}\n"
    tree = fleet(
        *("k8s/base/apps.yaml", kustomization("apps", "./k8s/apps", post_build)),
        *("k8s/base/hidden.yaml", SECRET, "k8s/apps/x.yaml", text),
    )

    apps = build_of(read(engine, tree), "apps")

    assert apps.status is status
    assert status is BuildStatus.OK or "DOMAIN" in (apps.failure.message if apps.failure else "")


def test_a_missing_path_fails_one_kustomization_and_no_other(engine: Engine) -> None:
    tree = fleet(
        *("k8s/base/lost.yaml", kustomization("lost", "./k8s/lost")),
        *("k8s/base/good.yaml", kustomization("good", "./k8s/good"), "k8s/good/x.yaml", config_map("x", a="b")),
    )

    snapshot = read(engine, tree)

    assert build_of(snapshot, "lost").status is BuildStatus.FAILED
    assert build_of(snapshot, "good").status is BuildStatus.OK


def test_a_source_that_is_elsewhere_is_unknown_by_name(engine: Engine) -> None:
    other = SOURCE.replace("name: fleet", "name: other").replace("ada/fleet", "bob/charts")
    tree = fleet("k8s/base/other.yaml", other, "k8s/base/app.yaml", kustomization("app", "./x", source="other"))

    app = build_of(read(engine, tree), "app")

    assert app.status is BuildStatus.UNKNOWN
    assert app.failure is not None
    assert "bob/charts" in app.failure.message


def test_a_second_source_of_the_same_repository_is_this_repository(engine: Engine) -> None:
    same = SOURCE.replace("name: fleet", "name: twin").replace("https://git.example.org/", "git@git.example.org:")
    tree = fleet(
        *("k8s/base/twin.yaml", same, "k8s/base/app.yaml", kustomization("app", "./k8s/app", source="twin")),
        *("k8s/app/x.yaml", config_map("x", a="b")),
    )

    assert build_of(read(engine, tree), "app").status is BuildStatus.OK


def test_an_object_without_namespace_fails_the_apply_of_its_kustomization(engine: Engine) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"

    base = build_of(read(engine, fleet("k8s/base/x.yaml", text)), "base")

    assert base.status is BuildStatus.FAILED
    assert base.failure is not None
    assert "ConfigMap/x has no namespace" in base.failure.message


def test_a_parent_that_does_not_build_keeps_its_children_with_their_old_specs(engine: Engine) -> None:
    """The child's file already says prune false, but its frozen parent cannot bring that to the cluster."""
    child = ("k8s/base/app.yaml", kustomization("app", "./k8s/app"), "k8s/app/x.yaml", config_map("x", a="b"))
    before = fleet(*child)
    changed = kustomization("app", "./k8s/app").replace("prune: true", "prune: false")
    after = before.with_file("k8s/base/app.yaml", changed.encode()).with_file("k8s/base/bad.yaml", b"a: [")
    after = after.with_file("k8s/app/y.yaml", config_map("y", a="b").encode())

    snapshot = read(engine, after, previous=read(engine, before))

    assert build_of(snapshot, "base").status is BuildStatus.FAILED
    app = build_of(snapshot, "app")
    assert app.ks.prune
    assert {object.id.name for object in app.objects} == {"x", "y"}


def test_the_revision_before_is_not_waited_for_where_a_revision_says_all(engine: Engine) -> None:
    def unread() -> Snapshot:
        raise AssertionError("the revision before was asked for")

    tree = fleet("k8s/base/app.yaml", kustomization("app", "./k8s/app"), "k8s/app/a.yaml", config_map("a"))

    alone = read(engine, tree)

    assert take_snapshot_after(tree, "HEAD", engine, nothing_installed, Reading(), unread) == alone


def test_looking_at_one_earlier_cluster_does_not_wait_for_another() -> None:
    begun, over = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        over.wait(60)

    waiting = threading.Thread(target=lambda: Earlier(slow).builds)
    waiting.start()
    begun.wait(60)
    other = threading.Thread(target=lambda: Earlier(lambda: None).builds, daemon=True)
    other.start()
    other.join(20)

    assert not other.is_alive()
    over.set()
    waiting.join()


def test_equal_inputs_have_equal_digests_and_a_changed_file_has_another(engine: Engine) -> None:
    before = fleet("k8s/base/app.yaml", kustomization("app", "./k8s/app"), "k8s/app/x.yaml", config_map("x", a="b"))
    unrelated = before.with_file("docs/x.md", b"x")
    touched = before.with_file("k8s/app/x.yaml", config_map("x", a="c").encode())

    digests = [build_of(read(engine, tree), "app").inputs for tree in (before, unrelated, touched)]

    assert digests[0] == digests[1] != digests[2]


def test_files_outside_the_artifact_are_not_built(engine: Engine) -> None:
    source = SOURCE + "  ignore: |\n    /*\n    !/k8s\n    /k8s/base/skipped.yaml\n"
    tree = fleet("k8s/base/skipped.yaml", config_map("x", a="b")).with_file("k8s/base/source.yaml", source.encode())

    assert all(object.id.name != "x" for object in build_of(read(engine, tree), "base").objects)


def test_a_broken_flux_file_is_a_finding_with_its_line(engine: Engine) -> None:
    broken = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: [\n"

    snapshot = read(engine, fleet("docs/broken.yaml", broken))

    (finding,) = snapshot.findings
    assert finding.hazard == "G8"
    assert finding.where is not None
    assert finding.where.file == "docs/broken.yaml"


def test_the_root_is_the_one_on_the_source_that_most_kustomizations_use(engine: Engine) -> None:
    """Two repositories may have a root for the same path; the other one is listed first here."""
    other = SOURCE.replace("name: fleet", "name: attic").replace("fleet.git", "attic.git")
    tree = repo(
        "k8s/base/a.yaml",
        other + "---" + kustomization("base-attic", "./k8s/base", source="attic"),
        "k8s/base/source.yaml",
        SOURCE,
        "k8s/base/root.yaml",
        kustomization("base", "./k8s/base"),
        "k8s/base/apps.yaml",
        kustomization("apps", "./k8s/apps"),
        "k8s/apps/one.yaml",
        config_map("one"),
    )

    snapshot = read(engine, tree)

    assert only(snapshot).root == ks("base")
    assert only(snapshot).builds[ks("base-attic")].status is BuildStatus.UNKNOWN
    assert only(snapshot).builds[ks("apps")].status is BuildStatus.OK


@pytest.mark.parametrize("written", ["clusters/{{.CLUSTER}}", 'clusters/"{{.CLUSTER}}"', "clusters/$CLUSTER"])
def test_a_bootstrap_path_that_is_a_template_names_no_root(written: str, engine: Engine) -> None:
    tree = repo("Taskfile.yaml", f"run: flux bootstrap git --path={written} --branch=main\n", "clusters/a/x.yaml", "")

    assert read(engine, tree).clusters == ()


@pytest.mark.parametrize("written", ["clusters/a", '"clusters/a"', "'./clusters/a'"])
def test_a_bootstrap_path_in_quotes_names_the_root(written: str, engine: Engine) -> None:
    tree = repo("run.sh", f"flux bootstrap git --path={written} --branch=main\n", "clusters/a/x.yaml", config_map("x"))

    assert only(read(engine, tree)).name == "clusters/a"
