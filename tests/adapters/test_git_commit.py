from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import pytest
from builders import git, git_repository, repo

from flux_handover.adapters.git import Repository
from flux_handover.adapters.git_commit import CommitRefused, Hooks, changed_paths, write_commit
from flux_handover.errors import UsageError
from flux_handover.tree import File, FileKind, Tree, blob_digest

BEFORE = repo("apps/web.yaml", "a: 1\n", "apps/old.yaml", "b: 1\n", "README.md", "hello\n")
AFTER = BEFORE.with_file("apps/web.yaml", b"a: 2\n").with_file("new/a +ü.yaml", b"c: 1\n").without("apps/old.yaml")
MESSAGE = "Protect what leaves\n\n# not a comment\n\nFlux-Handover-Phase: protect\nFlux-Handover-Plan: abc\n"


@pytest.fixture(autouse=True)
def identity(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    configuration = tmp_path / "gitconfig"
    configuration.write_text("[user]\n\tname = Grace\n\temail = grace@example.org\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(configuration))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return git_repository(tmp_path / "fleet", BEFORE)


@pytest.fixture
def repository(directory: Path) -> Iterator[Repository]:
    with Repository.open(directory) as repository:
        yield repository


def commit(
    repository: Repository, after: Tree = AFTER, branch: str = "handover/1-protect", hooks: Hooks = Hooks.RUN
) -> str:
    return write_commit(repository, "HEAD", BEFORE, after, message=MESSAGE, branch=branch, hooks=hooks)


def hook(directory: Path, name: str, script: str) -> None:
    place = directory / ".git/hooks" / name
    place.parent.mkdir(exist_ok=True)
    place.write_text(f"#!/bin/sh\n{script}\n")
    place.chmod(0o755)


def state(directory: Path) -> tuple[str, ...]:
    """What a commit must leave alone: branches, index, work tree, worktrees, HEAD."""
    asked = (
        ["for-each-ref"],
        ["ls-files", "-s"],
        ["status", "--porcelain"],
        ["worktree", "list"],
        ["symbolic-ref", "HEAD"],
    )
    return tuple(git(directory, *arguments) for arguments in asked)


def test_the_new_branch_holds_exactly_the_tree(repository: Repository, directory: Path) -> None:
    parent = repository.resolve("HEAD")

    sha = commit(repository)

    assert repository.branches("handover/") == (("handover/1-protect", sha),)
    assert repository.read_tree(sha) == AFTER
    assert repository.parents(sha) == (parent,)
    assert repository.commit_message(sha) == MESSAGE
    assert git(directory, "log", "-1", "--format=%an <%ae>|%cn", sha) == "Grace <grace@example.org>|Grace"


def test_work_tree_and_index_stay_as_they_were(repository: Repository, directory: Path) -> None:
    (directory / "README.md").write_text("staged\n")
    git(directory, "add", "README.md")
    (directory / "apps/web.yaml").write_text("unstaged: 1\n")
    (directory / "untracked").write_text("x\n")
    before = state(directory)

    commit(repository)

    after = state(directory)
    assert after[1:] == before[1:]
    assert (directory / "apps/web.yaml").read_text() == "unstaged: 1\n"
    assert list((directory / ".git/worktrees").glob("*")) == []


def test_commits_stack_on_a_new_branch_each(repository: Repository) -> None:
    first = commit(repository)
    further = AFTER.with_file("apps/web.yaml", b"a: 3\n")

    second = write_commit(repository, first, AFTER, further, message=MESSAGE, branch="handover/2-operator")

    assert repository.first_parents("main", "handover/2-operator") == (first, second)
    assert repository.read_tree(second) == further


def test_modes_and_links_are_kept(repository: Repository) -> None:
    content = b"true\n"
    files = {
        **BEFORE.files,
        "run.sh": File(content, blob_digest(content), executable=True),
        "link": File(b"README.md", blob_digest(b"README.md"), FileKind.LINK),
        "apps/web.yaml": File(b"a: 1\n", blob_digest(b"a: 1\n"), executable=True),
    }
    after = Tree(MappingProxyType(files))

    assert repository.read_tree(commit(repository, after)) == after


def test_a_file_may_become_a_directory(repository: Repository) -> None:
    after = BEFORE.without("README.md").with_file("README.md/a.yaml", b"a: 1\n")

    assert repository.read_tree(commit(repository, after)) == after


def test_filters_and_line_endings_leave_the_bytes_alone(repository: Repository, directory: Path) -> None:
    git(directory, "config", "core.autocrlf", "true")
    git(directory, "config", "filter.upper.clean", "tr a-z A-Z")
    (directory / ".git/info/attributes").write_text("* text=auto filter=upper\n")
    hook(directory, "pre-commit", "true")
    after = BEFORE.with_file("crlf.yaml", b"a: 1\r\nb: 2\n")

    assert repository.read_tree(commit(repository, after)) == after


@pytest.mark.parametrize("branch", ["handover/1-protect", "handover", "handover/1-protect/x"])
def test_a_branch_that_is_in_the_way_is_refused_and_nothing_is_written(
    repository: Repository, directory: Path, branch: str
) -> None:
    git(directory, "branch", "handover/1-protect")
    before = state(directory)

    with pytest.raises(UsageError, match="is there already"):
        commit(repository, branch=branch)

    assert state(directory) == before


@pytest.mark.parametrize("branch", ["", "-d", "a..b", "a b", "x.lock"])
def test_a_bad_name_for_a_branch_is_refused(repository: Repository, branch: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name"):
        commit(repository, branch=branch)


def test_a_tree_without_changes_is_not_committed(repository: Repository) -> None:
    with pytest.raises(CommitRefused, match="nothing to commit"):
        commit(repository, BEFORE)


def test_a_parent_that_moved_since_the_plan_is_refused(repository: Repository, directory: Path) -> None:
    git(directory, "commit", "-q", "--allow-empty", "-m", "Same files")
    commit(repository, branch="same-files")
    (directory / "README.md").write_text("moved\n")
    git(directory, "commit", "-qam", "Move")

    with pytest.raises(CommitRefused, match="planned for"):
        commit(repository)


def test_content_that_was_not_read_is_not_written(repository: Repository) -> None:
    files = {**BEFORE.files, "large.bin": File(None, "0" * 40, omitted="too large")}

    with pytest.raises(CommitRefused, match="was not read"):
        commit(repository, Tree(MappingProxyType(files)))


@pytest.mark.parametrize("path", ["../outside.yaml", ".git/config", "/etc/x.yaml"])
def test_a_path_outside_the_tree_is_refused(repository: Repository, directory: Path, path: str) -> None:
    before = state(directory)

    with pytest.raises(CommitRefused):
        commit(repository, BEFORE.with_file(path, b"x\n"))

    assert state(directory) == before


def test_commit_hooks_see_the_files_and_the_index(repository: Repository, directory: Path, tmp_path: Path) -> None:
    hook(
        directory,
        "pre-commit",
        f"cat apps/web.yaml > {tmp_path}/seen; git diff --cached --name-only >> {tmp_path}/seen",
    )

    commit(repository)

    assert (tmp_path / "seen").read_text().split("\n")[:3] == ["a: 2", "apps/old.yaml", "apps/web.yaml"]


def test_a_hook_that_fails_stops_the_commit_and_is_quoted(repository: Repository, directory: Path) -> None:
    hook(directory, "pre-commit", "echo the linter says no >&2; exit 1")
    before = state(directory)

    with pytest.raises(CommitRefused, match="the linter says no"):
        commit(repository)

    assert state(directory) == before


def test_a_hook_that_changes_files_stops_the_commit(repository: Repository, directory: Path) -> None:
    hook(directory, "pre-commit", "echo '# formatted' >> apps/web.yaml; git add apps/web.yaml")
    before = state(directory)

    with pytest.raises(CommitRefused, match=r"hook changed what was proved: apps/web\.yaml"):
        commit(repository)

    assert state(directory) == before


def test_a_hook_may_add_to_the_message_but_not_drop_trailers(repository: Repository, directory: Path) -> None:
    hook(directory, "commit-msg", 'echo "Signed-off-by: Grace <grace@example.org>" >> "$1"')
    sha = commit(repository)
    assert ("Signed-off-by", "Grace <grace@example.org>") in repository.trailers(sha)
    assert ("Flux-Handover-Plan", "abc") in repository.trailers(sha)

    hook(directory, "commit-msg", 'echo "Rewritten" > "$1"')
    with pytest.raises(CommitRefused, match="dropped the trailer"):
        commit(repository, branch="handover/other")


def test_hooks_can_be_skipped(repository: Repository, directory: Path) -> None:
    hook(directory, "pre-commit", "exit 1")

    assert repository.read_tree(commit(repository, hooks=Hooks.SKIP)) == AFTER


def test_hooks_that_lie_in_the_tree_are_not_run(repository: Repository, directory: Path, tmp_path: Path) -> None:
    git(directory, "config", "core.hooksPath", "hooks")
    script = f"#!/bin/sh\ntouch {tmp_path}/ran\n".encode()
    after = Tree(
        MappingProxyType({**BEFORE.files, "hooks/pre-commit": File(script, blob_digest(script), executable=True)})
    )

    first = commit(repository, after)
    write_commit(repository, first, after, after.with_file("y.yaml", b"y\n"), message=MESSAGE, branch="again")

    assert not (tmp_path / "ran").exists()


def test_an_ssh_signature_is_made_where_the_user_signs(repository: Repository, directory: Path, tmp_path: Path) -> None:
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed")
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    for name, value in (("gpg.format", "ssh"), ("user.signingkey", f"{key}.pub"), ("commit.gpgsign", "true")):
        git(directory, "config", name, value)

    sha = commit(repository)

    assert "-----BEGIN SSH SIGNATURE-----" in git(directory, "cat-file", "commit", sha)


def test_signing_that_fails_creates_no_branch(repository: Repository, directory: Path, tmp_path: Path) -> None:
    for name, value in (
        ("gpg.format", "ssh"),
        ("user.signingkey", str(tmp_path / "absent")),
        ("commit.gpgsign", "true"),
    ):
        git(directory, "config", name, value)
    before = state(directory)

    with pytest.raises(CommitRefused, match="signing"):
        commit(repository)

    assert state(directory) == before


def test_without_an_identity_the_commit_is_refused(repository: Repository, directory: Path, tmp_path: Path) -> None:
    (tmp_path / "gitconfig").write_text("[user]\n\tuseConfigOnly = true\n")
    before = state(directory)

    with pytest.raises(CommitRefused, match="identity"):
        commit(repository)

    assert state(directory) == before


def test_a_bare_repository_takes_a_commit(directory: Path, tmp_path: Path) -> None:
    git(directory, "clone", "-q", "--bare", str(directory), str(tmp_path / "bare.git"))

    with Repository.open(tmp_path / "bare.git") as repository:
        sha = commit(repository)
        assert repository.read_tree("handover/1-protect") == AFTER
        assert repository.resolve("handover/1-protect") == sha


def test_a_worktree_of_the_user_on_an_absent_disk_is_not_forgotten(
    repository: Repository, directory: Path, tmp_path: Path
) -> None:
    git(directory, "worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"))
    shutil.move(tmp_path / "linked", tmp_path / "away")

    commit(repository)

    assert "linked" in git(directory, "worktree", "list")


def test_a_calling_hooks_environment_does_not_reach_the_commit(
    repository: Repository, directory: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = git_repository(tmp_path / "other", repo("x", "x\n"))
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git/index"))
    before = state(other)

    sha = commit(repository)

    assert repository.read_tree(sha) == AFTER
    assert state(other) == before


def test_only_what_differs_is_a_change() -> None:
    assert changed_paths(BEFORE, AFTER) == ("apps/old.yaml", "apps/web.yaml", "new/a +ü.yaml")
    assert changed_paths(AFTER, AFTER) == ()
