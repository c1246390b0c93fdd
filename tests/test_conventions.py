from __future__ import annotations

from builders import repo

from flux_handover.conventions import learn_style
from flux_handover.emit import Style
from flux_handover.tree import Tree

KS_SCHEMA = "# yaml-language-server: $schema=https://example.org/ks.json"
KUSTOMIZE_SCHEMA = "# yaml-language-server: $schema=https://example.org/kustomization.json"


def ks(name: str, start: str = "---\n", schema: str = f"{KS_SCHEMA}\n") -> str:
    return (
        f"{start}{schema}apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: {name}\n"
        "spec:\n  dependsOn:\n    - name: db\n"
    )


def kustomization(*resources: str, indent: str = "  ") -> str:
    lines = "".join(f"{indent}- {resource}\n" for resource in resources)
    head = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
    return f"---\n{KUSTOMIZE_SCHEMA}\n{head}resources:\n{lines}"


def test_without_files_the_usual_style_holds() -> None:
    assert learn_style(Tree(), "apps") == Style()


def test_both_kinds_named_kustomization_have_their_own_schema_and_file_name() -> None:
    tree = repo("apps/web/ks.yaml", ks("web"), "apps/web/app/kustomization.yaml", kustomization("./a.yaml"))

    style = learn_style(tree, "./apps/")

    assert style.schemas["Kustomization.kustomize.toolkit.fluxcd.io"] == KS_SCHEMA
    assert style.schemas["Kustomization.kustomize.config.k8s.io"] == KUSTOMIZE_SCHEMA
    assert style.file_names["Kustomization.kustomize.toolkit.fluxcd.io"] == "ks.yaml"
    assert style.file_names["Kustomization.kustomize.config.k8s.io"] == "kustomization.yaml"


def test_a_header_that_most_files_lack_is_not_learnt() -> None:
    tree = repo("a/1.yaml", ks("a", schema=""), "a/2.yaml", ks("b", schema=""), "a/3.yaml", ks("c"))

    assert learn_style(tree, "a").schemas == {}


def test_the_start_of_a_document_is_learnt_behind_comments_too() -> None:
    assert learn_style(repo("a/1.yaml", "# a comment\n" + ks("a")), "a").document_start
    assert not learn_style(repo("a/1.yaml", ks("a", start="")), "a").document_start


def test_indentation_of_lists_and_shape_of_paths() -> None:
    tree = repo("a/kustomization.yaml", kustomization("b.yaml", "c.yaml", "a.yaml", "https://e.org/x", indent=""))

    style = learn_style(tree, "a")

    assert (style.indented_lists, style.dot_slash, style.sorted_resources) == (False, False, False)


def test_sorted_resources_with_dots() -> None:
    style = learn_style(repo("a/kustomization.yaml", kustomization("./a.yaml", "./b", "./c.yaml", "../z")), "a")

    assert style.dot_slash


def test_the_extension_of_most_neighbours_is_taken() -> None:
    tree = repo("a/1.yml", ks("a"), "a/2.yml", ks("b"), "a/3.yaml", ks("c"))

    assert learn_style(tree, "a").extension == "yml"


def test_near_files_count_before_those_far_away() -> None:
    far = {f"z/{n}.yaml": ks("z") for n in range(100)}
    near = {f"a/{n}.yaml": ks("a", start="", schema="") for n in range(40)}
    tree = repo(*(part for pair in {**far, **near}.items() for part in pair))

    style = learn_style(tree, "a")

    assert not style.document_start
    assert style.schemas == {}


def test_a_new_directory_learns_from_those_above_it() -> None:
    tree = repo("apps/web/ks.yaml", ks("web", start=""))

    assert not learn_style(tree, "apps/flux-operator/app").document_start


def test_templates_and_broken_files_teach_nothing() -> None:
    tree = repo("a/1.yaml", "a: {{ x }}\n", "a/2.yaml", "a: [\n", "a/3.yaml", "", "a/4.txt", "x")

    assert learn_style(tree, "a") == Style()
