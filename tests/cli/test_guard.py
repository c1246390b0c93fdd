"""The verb `guard`: ranges, formats, exit statuses, bad input."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from builders import commit_tree, git, git_repository, repo
from planning import DEMO, tree_of
from proof.fleets import Files, config, fleet, ks, listing
from schemastore_schemas import schema_titled

from flux_handover.cli.main import run
from flux_handover.report.shapes.common import schema_of
from flux_handover.report.shapes.guard import GuardShape

ONLY_NOTES: Files = {"apps/kustomization.yaml": listing("notes.yaml")}
MEANT: Files = {**ONLY_NOTES, "apps/memos.yaml": None}
BROKEN: Files = {"apps/memos.yaml": "a: *nowhere\n"}
VARIABLE: Files = {
    "clusters/main/apps.yaml": ks("apps", "./apps", "  postBuild: {substitute: {COLOUR: blue}}\n"),
    "apps/memos.yaml": config("memos", data="{page: '${SHAPE}'}"),
}
MEMOS = "ConfigMap/notes/memos"
Report = Mapping[str, Any]


@pytest.fixture
def fleets(tmp_path: Path) -> Path:
    """The base fleet with one commit."""
    return git_repository(tmp_path / "fleet", fleet())


def add(repository: Path, changes: Files, message: str = "Change") -> str:
    return commit_tree(repository, fleet(changes), message)


def said(
    repository: Path, capsys: pytest.CaptureFixture[str], *arguments: str, output: str = "json", status: int = 0
) -> str:
    found = run(["guard", *arguments, "--repository", str(repository), "--output", output])
    page = capsys.readouterr().out
    assert found == status, page
    return page


def report(repository: Path, capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> Report:
    """What it says as JSON, checked against its schema."""
    found: Report = json.loads(said(repository, capsys, *arguments, status=status))
    jsonschema_rs.validate(json.loads(schema_of("guard", GuardShape)), found)
    return found


@pytest.fixture
def remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, and where the answers in it are."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("FLUX_HANDOVER_CACHE", raising=False)
    return tmp_path / "cache"


def answers_in(cache: Path) -> list[Path]:
    return [path for path in cache.rglob("answers-*/*/*") if path.is_file()]


def test_the_same_question_is_answered_from_memory(
    remembered: Path, fleets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(fleets, BROKEN)
    first = said(fleets, capsys, "HEAD~1", "HEAD", status=1)
    (answer,) = answers_in(remembered)
    assert said(fleets, capsys, "HEAD~1..HEAD", status=1) == first

    answer.write_bytes(b"0\nas it was kept")

    assert said(fleets, capsys, "HEAD~1", "HEAD") == "as it was kept"


def test_any_other_question_is_judged_anew(remembered: Path, fleets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add(fleets, MEANT)
    add(fleets, {**MEANT, **VARIABLE})
    said(fleets, capsys, "HEAD~1", "HEAD")

    said(fleets, capsys, "HEAD~2", "HEAD~1")
    said(fleets, capsys, "HEAD~1", "HEAD", output="markdown")
    said(fleets, capsys, "HEAD~1", "HEAD", "--depth", "7")

    assert len(answers_in(remembered)) == 4


@pytest.mark.parametrize("arguments", [("HEAD~1", "HEAD", "--each"), ("--staged",)])
def test_what_may_change_is_not_remembered(
    arguments: tuple[str, ...], remembered: Path, fleets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(fleets, MEANT)
    said(fleets, capsys, *arguments)

    assert answers_in(remembered) == []


@pytest.mark.slow
def test_all_phases_of_a_plan_as_one_commit_are_refused_with_the_events_that_lose_flux(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A hasty merge of the stacked branches is one revision to Flux."""
    repository = git_repository(tmp_path / "harbour", tree_of(DEMO))
    assert run(["commit", str(repository), "--all"]) == 0
    capsys.readouterr()
    last = git(repository, "branch", "--list", "flux-handover/*", "--format=%(refname:short)").split()[-1]

    found = report(repository, capsys, "HEAD", last, status=1)
    page = " ".join(said(repository, capsys, "HEAD", last, "--verbose", output="text", status=1).split())

    lost = {one["id"]: one for one in found["deletes"]}
    trace = [
        step["event"] for step in lost["Deployment.apps/flux-system/kustomize-controller"]["counterexample"]["trace"]
    ]
    assert "finalizes Kustomization/flux-system/flux with the live prune true" in trace
    assert any(event.startswith("deletes Deployment/flux-system/kustomize-controller") for event in trace)
    assert lost.keys() >= {"Namespace//flux-system", "PersistentVolumeClaim/welcome/notice-board"}
    assert "O4" in {one["hazard"] for one in found["findings"] if one["severity"] == "error"}
    assert ["every object that can be deleted is listed" in one for one in found["undecided"]] == [True]
    assert "Kustomization/flux-system/flux (O4)" in page
    assert "deletes Deployment/flux-system/kustomize-controller, along with Kustomization/flux-system/flux" in page


def test_what_left_git_on_purpose_is_safe_and_listed(fleets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add(fleets, MEANT)

    found = report(fleets, capsys, "HEAD~1", "HEAD")

    assert (found["verdict"], [one["id"] for one in found["deletes"]]) == ("safe", [MEMOS])
    assert found["deletes"][0]["expected"] is True
    assert found["deletes"][0]["cluster"] == "clusters/main"
    assert found["deletes"][0]["owner"] == "Kustomization.kustomize.toolkit.fluxcd.io/flux-system/apps"


def test_what_nobody_meant_is_an_error_with_a_trace(fleets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add(fleets, ONLY_NOTES)

    found = report(fleets, capsys, "HEAD~1", "HEAD", status=1)

    assert found["verdict"] == "unsafe"
    assert [(one["hazard"], one["object"]) for one in found["findings"]] == [("O1", MEMOS)]
    trace = found["deletes"][0]["counterexample"]["trace"]
    assert [step["n"] for step in trace] == list(range(1, len(trace) + 1))
    assert trace[-1]["actor"] == "kustomize-controller"


@pytest.mark.parametrize("span", [("HEAD~2", "HEAD"), ("HEAD~2..HEAD",), ("HEAD~2..",)])
def test_a_range_is_one_step(fleets: Path, capsys: pytest.CaptureFixture[str], span: tuple[str, ...]) -> None:
    add(fleets, BROKEN)
    add(fleets, {})

    found = report(fleets, capsys, *span)

    assert (found["verdict"], found["findings"], len(found["commits"])) == ("safe", [], 1)


def test_each_commit_of_a_range_has_its_own_report(fleets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken, whole = add(fleets, BROKEN), add(fleets, MEANT)

    found = report(fleets, capsys, "HEAD~2..HEAD", "--each", status=1)

    assert [(one["sha"], one["verdict"]) for one in found["commits"]] == [(broken, "unsafe"), (whole, "safe")]
    assert [one["sha"] for one in found["deletes"]] == [whole]
    assert [one["hazard"] for one in found["findings"]] == ["G8"]


def test_a_directory_that_was_looked_for_in_vain_is_found_once_it_is_there(
    fleets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asking: Files = {"clusters/main/more.yaml": ks("more", "./more")}
    add(fleets, asking)
    add(fleets, {**asking, "more/letters.yaml": config("letters")})

    found = report(fleets, capsys, "HEAD~2..HEAD", "--each", status=1)

    assert [[one["hazard"] for one in commit["findings"]] for commit in found["commits"]] == [["G7"], []]


def test_only_first_parents_are_pushed(fleets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(fleets, "checkout", "-q", "-b", "side")
    add(fleets, BROKEN)
    add(fleets, MEANT)
    git(fleets, "checkout", "-q", "main")
    git(fleets, "merge", "-q", "--no-ff", "-m", "Merge", "side")

    assert len(report(fleets, capsys, "HEAD~1..HEAD", "--each")["commits"]) == 1


def test_one_revision_is_compared_with_where_it_branched_off(fleets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(fleets, "checkout", "-q", "-b", "side")
    head = add(fleets, MEANT)
    git(fleets, "checkout", "-q", "main")
    add(fleets, {"README.md": "words"})

    status = run(["guard", "side", "--repository", str(fleets), "--output", "json"])

    shown = capsys.readouterr()
    assert status == 0
    assert json.loads(shown.out)["head"] == head
    assert "branched off main" in shown.err


def test_three_dots_compare_with_what_both_have(fleets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = git(fleets, "rev-parse", "HEAD")
    git(fleets, "checkout", "-q", "-b", "side")
    add(fleets, {"README.md": "words"})
    git(fleets, "checkout", "-q", "main")
    add(fleets, {"clusters/main/late.yaml": config("late")})

    assert run(["guard", "main", "side", "--repository", str(fleets)]) == 0
    two = capsys.readouterr()
    found = report(fleets, capsys, "main...side")

    assert "ConfigMap/notes/late" in two.out
    assert "counts as removed" in two.err
    assert (found["base"], found["deletes"]) == (base, [])


def test_what_is_staged_is_compared_with_the_last_commit(fleets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (fleets / "apps/memos.yaml").write_text("a: *nowhere\n")

    assert report(fleets, capsys, "--staged")["verdict"] == "safe"
    git(fleets, "add", "apps/memos.yaml")
    found = report(fleets, capsys, "--staged", status=1)

    assert [one["hazard"] for one in found["findings"]] == ["G8"]
    assert found["head"] == "staged"


def test_a_base_that_does_not_build_keeps_what_an_earlier_one_gave(
    fleets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = git(fleets, "rev-parse", "HEAD")
    add(fleets, BROKEN)
    add(fleets, MEANT)

    found = report(fleets, capsys, "HEAD~1", "HEAD")

    apps = next(one for one in found["kustomizations"] if one["id"].endswith("/apps"))
    assert [one["id"] for one in found["deletes"]] == [MEMOS]
    assert apps["base"] == {"sha": first, "assumed": True}
    assert (apps["objects_before"], apps["objects_after"]) == (2, 1)


def test_a_base_that_is_looked_for_in_vain_is_unknown(fleets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add(fleets, BROKEN)
    add(fleets, {**BROKEN, "README.md": "words"})
    add(fleets, MEANT)

    found = report(fleets, capsys, "HEAD~1", "HEAD", "--depth", "1", status=2)

    assert found["verdict"] == "unknown"
    assert next(one for one in found["kustomizations"] if one["id"].endswith("/apps"))["base"]["sha"] == ""


def observed(place: Path, path: str) -> Path:
    """A file of facts in which the children have nothing but what Git never had."""
    entry = {"id": "notes_forgotten__ConfigMap", "v": "v1"}
    owners = [
        {
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "metadata": {"namespace": "flux-system", "name": name},
            "spec": {"path": at, "prune": True},
            "status": {"inventory": {"entries": [entry]}},
        }
        for name, at in (("fleet", path), ("apps", "./apps"))
    ]
    place.write_text(json.dumps({"kind": "List", "items": owners}))
    return place


def test_facts_of_the_live_cluster_take_the_place_of_assumptions(
    fleets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = observed(tmp_path / "facts.json", "./clusters/main")
    add(fleets, {"README.md": "words"})

    found = report(fleets, capsys, "HEAD~1", "HEAD", "--observed", str(facts))

    assert [one["id"] for one in found["deletes"]] == ["ConfigMap/notes/forgotten"]


def test_facts_of_another_cluster_are_refused(fleets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = observed(tmp_path / "facts.json", "./clusters/other")
    add(fleets, {"README.md": "words"})

    found = json.loads(said(fleets, capsys, "HEAD~1", "HEAD", "--observed", str(facts), status=2))

    assert "of no cluster of this repository" in found["error"]["message"]


def test_a_warning_fails_only_where_it_is_asked_to(fleets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add(fleets, VARIABLE)

    assert [one["severity"] for one in report(fleets, capsys, "HEAD~1", "HEAD")["findings"]] == ["warning"]
    report(fleets, capsys, "HEAD~1", "HEAD", "--fail-on", "warning", status=1)


def waiver(code: str, object: str, until: str = "2999-12-31") -> Files:
    text = f'[[waive]]\ncode = "{code}"\nobject = "{object}"\nreason = "memos move by hand"\nuntil = {until}\n'
    return {".flux-handover.toml": text}


@pytest.mark.parametrize(
    "object",
    [
        MEMOS,
    ],
)
def test_a_waiver_of_the_base_accepts_a_finding_and_is_printed(
    fleets: Path, capsys: pytest.CaptureFixture[str], object: str
) -> None:
    add(fleets, waiver("O1", object))
    add(fleets, {**waiver("O1", object), **ONLY_NOTES})

    found = report(fleets, capsys, "HEAD~1", "HEAD")
    page = said(fleets, capsys, "HEAD~1", "HEAD", output="text")

    assert (found["verdict"], found["findings"]) == ("safe", [])
    assert [one["reason"] for one in found["waived"]] == ["memos move by hand"]
    assert "memos move by hand" in page


def test_a_change_cannot_waive_itself(fleets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add(fleets, {**waiver("O1", MEMOS), **ONLY_NOTES})

    assert report(fleets, capsys, "HEAD~1", "HEAD", status=1)["waived"] == []


def test_a_waiver_that_is_over_accepts_nothing(fleets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add(fleets, waiver("O1", MEMOS, until="2020-01-01"))
    add(fleets, {**waiver("O1", MEMOS, until="2020-01-01"), **ONLY_NOTES})

    found = report(fleets, capsys, "HEAD~1", "HEAD", status=1)

    assert {one["hazard"] for one in found["findings"]} == {"O1", "waiver"}


def test_a_waiver_that_matches_nothing_is_a_warning(fleets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add(fleets, waiver("O1", "ConfigMap/notes/nowhere"))
    add(fleets, {**waiver("O1", "ConfigMap/notes/nowhere"), "README.md": "words"})

    (found,) = report(fleets, capsys, "HEAD~1", "HEAD")["findings"]

    assert (found["hazard"], found["severity"], found["file"]) == ("waiver", "warning", ".flux-handover.toml")


def test_what_is_unknown_can_be_waived_too(fleets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def remote(name: str) -> Files:
        return {"apps/kustomization.yaml": listing(f"https://example.org/{name}.yaml")}

    add(fleets, {**remote("one"), **waiver("unknown", "Kustomization/flux-system/apps")})
    add(fleets, {**remote("two"), **waiver("unknown", "Kustomization/flux-system/apps")})
    add(fleets, remote("three"))

    assert report(fleets, capsys, "HEAD~2", "HEAD~1")["verdict"] == "safe"
    add(fleets, remote("four"))
    report(fleets, capsys, "HEAD~1", "HEAD", status=2)


def test_markdown_tells_the_risk_first_and_escapes(fleets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add(fleets, {**ONLY_NOTES, "clusters/main/odd.yaml": ks("odd", "./<b>odd|path"), "x.yaml": "x"})

    page = said(fleets, capsys, "HEAD~1", "HEAD", output="markdown", status=1)

    assert page.startswith("### Flux guard: unsafe")
    assert page.index("Flux would delete 1 object") < page.index("<details>")
    assert "<b>" not in page


def test_sarif_obeys_the_standard_and_knows_every_rule(fleets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add(fleets, {**ONLY_NOTES, **waiver("O1", "ConfigMap/notes/nowhere")})
    add(fleets, {**BROKEN, **waiver("O1", "ConfigMap/notes/nowhere")})

    log = json.loads(said(fleets, capsys, "HEAD~2..HEAD", "--each", output="sarif", status=1))

    schema = schema_titled("Static Analysis Results Format (SARIF) Version 2.1.0")
    del schema["definitions"]["run"]["properties"]["language"]["pattern"]
    jsonschema_rs.validator_for(schema).validate(log)
    (one,) = log["runs"]
    rules = [rule["id"] for rule in one["tool"]["driver"]["rules"]]
    assert {"G1", "O15", "A6", "V11", "B14"} <= set(rules)
    assert {result["ruleId"] for result in one["results"]} >= {"O1", "G8"}
    assert all(rules[result["ruleIndex"]] == result["ruleId"] for result in one["results"])


def test_text_names_deletions_first_and_traces_on_demand(fleets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add(fleets, {**ONLY_NOTES, "clusters/main/odd.yaml": ks("odd", "./nowhere")})

    brief = said(fleets, capsys, "HEAD~1", "HEAD", output="text", status=1)
    full = said(fleets, capsys, "HEAD~1", "HEAD", "--verbose", output="text", status=1)

    assert brief.index("ConfigMap/notes/memos") < brief.index("G7")
    assert "1. user pushes revision" not in brief
    assert "1. user pushes revision" in full


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere", "HEAD"), "there is no revision 'nowhere'"),
        (("HEAD", "HEAD", "HEAD"), "more than two revisions"),
        ((), "say which revisions to compare"),
        (("HEAD...HEAD", "HEAD"), "three dots"),
        (("nowhere...HEAD",), "there is no revision 'nowhere'"),
        (("--staged", "HEAD"), "the last commit alone"),
        (("--staged", "--each"), "the last commit alone"),
        (("HEAD", "HEAD", "--each", "--fail-on", "never"), "fail-on"),
    ],
)
def test_what_cannot_be_run_is_said_as_json_too(
    fleets: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    found = json.loads(said(fleets, capsys, *arguments, status=2))

    assert words in found["error"]["message"]
    assert found["schema"] == "flux-handover/guard/v1"


def test_histories_that_share_nothing_are_not_compared(fleets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(fleets, "checkout", "-q", "--orphan", "apart")
    add(fleets, MEANT)

    found = json.loads(said(fleets, capsys, "main", "apart", status=2))

    assert "no commit in common" in found["error"]["message"]


def test_a_shallow_clone_is_told_how_to_get_the_rest(
    fleets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(fleets, MEANT)
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{fleets}", "shallow")

    found = json.loads(said(tmp_path / "shallow", capsys, "HEAD", "HEAD", status=2))

    assert "fetch-depth: 0" in found["error"]["hint"]


def test_a_waiver_file_that_is_none_is_an_error_with_its_place(
    fleets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(fleets, {".flux-handover.toml": "[[waive]]\ncode = 'O1'\n"})
    add(fleets, {".flux-handover.toml": "[[waive]]\ncode = 'O1'\n", "README.md": "words"})

    found = json.loads(said(fleets, capsys, "HEAD~1", "HEAD", status=2))

    assert found["error"]["where"] == ".flux-handover.toml:1"


def test_a_repository_without_flux_is_unknown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = git_repository(tmp_path / "plain", repo("a.txt", "a"), repo("a.txt", "b"))

    found = report(plain, capsys, "HEAD~1", "HEAD", status=2)

    assert (found["verdict"], found["clusters"], found["candidates"]) == ("unknown", [], [])
    assert "no Flux here" in said(plain, capsys, "HEAD~1", "HEAD", output="text", status=2)


def test_submodules_and_pointers_to_large_files_are_read_around(
    fleets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    add(fleets, {"apps/kustomization.yaml": listing("notes.yaml", "memos.yaml"), "picture.png": pointer})
    sha = git(fleets, "rev-parse", "HEAD")
    git(fleets, "update-index", "--add", "--cacheinfo", f"160000,{sha},module")
    git(fleets, "commit", "-q", "-m", "Add a module")

    assert report(fleets, capsys, "HEAD~2", "HEAD")["verdict"] == "safe"


def test_the_work_tree_and_the_index_stay_as_they_are(fleets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add(fleets, MEANT)
    (fleets / "apps/notes.yaml").write_text("mine")

    report(fleets, capsys, "HEAD~1", "HEAD")

    assert git(fleets, "status", "--porcelain") == "M apps/notes.yaml"
