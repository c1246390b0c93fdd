from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest
from builders import commit_tree, git, git_repository, repo

from flux_handover.adapters import git as git_adapter
from flux_handover.adapters.git import Repository
from flux_handover.adapters.git_program import environment
from flux_handover.errors import UnreadableRepository, UsageError
from flux_handover.tree import FileKind, Tree

ONE = repo("apps/web.yaml", "a: 1\n", "README.md", "hello\n")
TWO = repo("apps/web.yaml", "a: 2\n", "README.md", "hello\n")


def test_a_revision_is_read_as_it_was_committed(tmp_path: Path) -> None:
    with Repository.open(git_repository(tmp_path, ONE, TWO)) as repository:
        assert repository.read_tree("HEAD~1") == ONE
        assert repository.read_tree("HEAD") == TWO


def test_files_that_lie_in_the_work_tree_only_are_not_read(tmp_path: Path) -> None:
    directory = git_repository(tmp_path, ONE)
    (directory / "apps/web.yaml").write_text("a: 99\n")
    (directory / "new.yaml").write_text("b: 1\n")

    with Repository.open(directory) as repository:
        assert repository.read_tree("HEAD") == ONE
        assert repository.is_dirty()


def test_a_subdirectory_reads_the_whole_repository(tmp_path: Path) -> None:
    directory = git_repository(tmp_path, ONE)

    with Repository.open(directory / "apps") as repository:
        assert repository.read_tree("HEAD") == ONE
        assert repository.read_index() == ONE


@pytest.mark.parametrize(
    "name", ["a b.yaml", "a+b.yaml", "käse/ü.yaml", "line\nbreak.yaml", '"quoted".yaml', "tab\t.yaml"]
)
def test_odd_paths_are_read(tmp_path: Path, name: str) -> None:
    with Repository.open(git_repository(tmp_path, repo(name, "a: 1\n"))) as repository:
        assert tuple(repository.read_tree("HEAD")) == (name,)
        assert repository.read_index() == repository.read_tree("HEAD")


def test_a_path_that_is_not_utf8_is_shown_escaped(tmp_path: Path) -> None:
    directory = git_repository(tmp_path, ONE)
    (Path(os.fsdecode(os.fsencode(directory) + b"/caf\xe9.yaml"))).write_text("a: 1\n")
    git(directory, "add", "-A")
    git(directory, "commit", "-qm", "Add a file")

    with Repository.open(directory) as repository:
        assert "caf\\xe9.yaml" in repository.read_tree("HEAD")


def test_links_modes_and_submodules_keep_their_kind(tmp_path: Path) -> None:
    directory = git_repository(tmp_path / "outer", ONE)
    inner = git_repository(tmp_path / "inner", TWO)
    (directory / "link.yaml").symlink_to("apps/web.yaml")
    (directory / "run.sh").write_text("true\n")
    (directory / "run.sh").chmod(0o755)
    git(directory, "add", "-A")
    sha = git(inner, "rev-parse", "HEAD")
    git(directory, "update-index", "--add", "--cacheinfo", f"160000,{sha},vendor")
    git(directory, "commit", "-qm", "Add odd files")

    with Repository.open(directory) as repository:
        files = repository.read_tree("HEAD").files

    assert (files["link.yaml"].kind, files["link.yaml"].content) == (FileKind.LINK, b"apps/web.yaml")
    assert files["run.sh"].executable
    assert not files["README.md"].executable
    assert (files["vendor"].kind, files["vendor"].content) == (FileKind.SUBMODULE, None)
    assert "submodule" in files["vendor"].omitted


def test_a_large_file_is_left_out_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git_adapter, "MAX_FILE_BYTES", 100)
    large = repo("large.yaml", "a" * 101, "exact.yaml", "b" * 100)

    with Repository.open(git_repository(tmp_path, large)) as repository:
        files = repository.read_tree("HEAD").files

    assert files["large.yaml"].content is None
    assert "101 bytes" in files["large.yaml"].omitted
    assert files["exact.yaml"].content == b"b" * 100


def test_the_sum_of_all_files_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git_adapter, "MAX_TREE_BYTES", 150)
    tree = repo("a.yaml", "a" * 100, "b.yaml", "b" * 100, "c.yaml", "c" * 50)

    with Repository.open(git_repository(tmp_path, tree)) as repository:
        read = repository.read_tree("HEAD")

    assert [path for path in read if read.files[path].omitted] == ["b.yaml"]


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git_adapter, "MAX_FILES", 1)

    with (
        Repository.open(git_repository(tmp_path, ONE)) as repository,
        pytest.raises(UnreadableRepository, match="2 files"),
    ):
        repository.read_tree("HEAD")


def test_a_git_lfs_pointer_is_not_taken_for_the_file(tmp_path: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"

    with Repository.open(git_repository(tmp_path, repo("large.bin", pointer))) as repository:
        file = repository.read_tree("HEAD").files["large.bin"]

    assert file.content is None
    assert "LFS" in file.omitted


def test_many_files_are_read_in_order(tmp_path: Path) -> None:
    contents = [part for n in range(1200) for part in (f"d{n % 7}/f{n}.yaml", f"n: {n}\n" * (n % 50))]
    tree = repo(*contents)

    with Repository.open(git_repository(tmp_path, tree)) as repository:
        assert repository.read_tree("HEAD") == tree


def test_the_index_holds_what_is_staged(tmp_path: Path) -> None:
    directory = git_repository(tmp_path, ONE)
    (directory / "apps/web.yaml").write_text("a: 3\n")
    git(directory, "add", "apps/web.yaml")
    (directory / "apps/web.yaml").write_text("a: 4\n")

    with Repository.open(directory) as repository:
        assert repository.read_index().read("apps/web.yaml") == b"a: 3\n"


def test_the_index_with_a_conflict_is_refused(tmp_path: Path) -> None:
    directory = git_repository(tmp_path, ONE)
    git(directory, "checkout", "-qb", "other")
    commit_tree(directory, TWO, "Change")
    git(directory, "checkout", "-q", "main")
    commit_tree(directory, repo("apps/web.yaml", "a: 3\n"), "Change otherwise")
    with pytest.raises(subprocess.CalledProcessError):
        git(directory, "merge", "other")

    with Repository.open(directory) as repository, pytest.raises(UsageError, match="conflicts"):
        repository.read_index()


def test_inside_a_hook_the_index_is_that_of_the_commit_being_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = git_repository(tmp_path, ONE)
    git(directory, "read-tree", f"--index-output={directory}/.git/next-index", git(directory, "write-tree"))
    (directory / "apps/web.yaml").write_text("a: 7\n")
    git(directory, "add", "-A")
    monkeypatch.chdir(directory)
    monkeypatch.setenv("GIT_INDEX_FILE", ".git/next-index")

    with Repository.open(directory) as repository:
        assert repository.read_index() == ONE


def test_another_repositorys_hook_does_not_leak_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = git_repository(tmp_path / "mine", ONE)
    other = git_repository(tmp_path / "other", TWO)
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git/index"))

    with Repository.open(mine) as repository:
        assert repository.read_tree("HEAD") == ONE
        assert repository.read_index() == ONE


def test_the_quarantine_of_a_pre_receive_hook_is_kept_for_its_own_repository_only(tmp_path: Path) -> None:
    git_dir = tmp_path / "mine.git"
    quarantine = str(git_dir / "objects/incoming-1")
    caller = {"GIT_QUARANTINE_PATH": quarantine, "GIT_OBJECT_DIRECTORY": quarantine, "GIT_DIR": "/elsewhere"}

    own, other = environment(git_dir, caller), environment(tmp_path / "other.git", caller)

    assert own["GIT_OBJECT_DIRECTORY"] == quarantine
    assert "GIT_OBJECT_DIRECTORY" not in other
    assert "GIT_DIR" not in own


def test_reading_runs_no_program_of_the_repository(tmp_path: Path) -> None:
    directory = git_repository(tmp_path, repo(".gitattributes", "*.yaml filter=evil diff=evil\n", "a.yaml", "a: 1\n"))
    marker = tmp_path / "ran"
    script = tmp_path / "evil.sh"
    script.write_text(f"#!/bin/sh\necho x >> {marker}\ncat\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    for key in (
        "core.fsmonitor",
        "filter.evil.clean",
        "filter.evil.smudge",
        "diff.evil.textconv",
        "core.pager",
        "core.sshCommand",
    ):
        git(directory, "config", key, str(script))
    os.utime(directory / "a.yaml", (1, 1))

    with Repository.open(directory) as repository:
        tree, index, dirty = repository.read_tree("HEAD"), repository.read_index(), repository.is_dirty()

    assert (tree.read("a.yaml"), index == tree, dirty) == (b"a: 1\n", True, False)
    assert not marker.exists()


def test_a_replaced_object_does_not_hide_the_real_one(tmp_path: Path) -> None:
    directory = git_repository(tmp_path, ONE, TWO)
    git(directory, "replace", git(directory, "rev-parse", "HEAD"), git(directory, "rev-parse", "HEAD~1"))

    with Repository.open(directory) as repository:
        assert repository.read_tree("HEAD") == TWO


def test_a_bare_repository_and_a_linked_worktree_are_read(tmp_path: Path) -> None:
    directory = git_repository(tmp_path / "work", ONE)
    git(directory, "clone", "-q", "--bare", str(directory), str(tmp_path / "bare.git"))
    git(directory, "worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"))

    for place, is_bare in ((tmp_path / "bare.git", True), (tmp_path / "linked", False)):
        with Repository.open(place) as repository:
            assert repository.read_tree("HEAD") == ONE
            assert repository.is_bare is is_bare
            assert repository.is_dirty() is False


def test_a_shallow_clone_says_so(tmp_path: Path) -> None:
    directory = git_repository(tmp_path / "deep", ONE, TWO)
    first = git(directory, "rev-parse", "HEAD~1")
    git(directory, "clone", "-q", "--depth=1", f"file://{directory}", str(tmp_path / "shallow"))

    with Repository.open(tmp_path / "shallow") as repository:
        assert repository.is_shallow
        assert repository.parents("HEAD") == (first,)
        assert repository.history("HEAD", 10) == (repository.resolve("HEAD"),)
        with pytest.raises(UnreadableRepository, match="no revision") as error:
            repository.resolve(first)
    assert "--unshallow" in error.value.hint


def test_what_is_no_repository_is_an_error_with_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    with pytest.raises(UnreadableRepository, match="not a Git repository") as error:
        Repository.open(tmp_path)
    assert error.value.hint
    with pytest.raises(UnreadableRepository, match="no such directory") as error:
        Repository.open(tmp_path / "absent")
    assert error.value.hint


def test_a_file_in_place_of_a_directory_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    with pytest.raises(UnreadableRepository):
        Repository.open(tmp_path / "file")


def test_without_git_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(UnreadableRepository, match="git is not installed") as error:
        Repository.open(tmp_path)
    assert "install git" in error.value.hint


def test_a_repository_of_another_user_names_safe_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a directory to another user")
    directory = git_repository(tmp_path / "theirs", ONE)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    for place in (directory, directory / ".git"):
        os.chown(place, 12345, 12345)

    with pytest.raises(UnreadableRepository, match="another user") as error:
        Repository.open(directory)
    assert error.value.hint == f"git config --global --add safe.directory {directory}"


def test_an_empty_repository_says_that_it_has_no_commits(tmp_path: Path) -> None:
    with Repository.open(git_repository(tmp_path)) as repository:
        assert repository.head_branch() == "main"
        with pytest.raises(UnreadableRepository, match="no commits yet"):
            repository.read_tree("HEAD")


def test_a_misspelt_branch_is_guessed(tmp_path: Path) -> None:
    directory = git_repository(tmp_path, ONE)
    git(directory, "branch", "handover")

    with Repository.open(directory) as repository, pytest.raises(UnreadableRepository) as error:
        repository.resolve("handovr")
    assert error.value.hint == "did you mean handover?"


@pytest.mark.parametrize("revision", ["--help", "-h", "HEAD:README.md", "", "HEAD HEAD", "a\nb"])
def test_what_is_no_revision_is_refused(tmp_path: Path, revision: str) -> None:
    with Repository.open(git_repository(tmp_path, ONE)) as repository, pytest.raises(UnreadableRepository):
        repository.resolve(revision)


def test_first_parents_leave_out_what_was_merged(tmp_path: Path) -> None:
    directory = git_repository(tmp_path, ONE)
    base = git(directory, "rev-parse", "HEAD")
    git(directory, "checkout", "-qb", "side")
    side = commit_tree(directory, TWO, "Side")
    git(directory, "checkout", "-q", "main")
    main = commit_tree(directory, repo("apps/web.yaml", "a: 1\n", "x.yaml", "x: 1\n"), "Main")
    git(directory, "merge", "-q", "--no-ff", "-s", "ours", "-m", "Merge side", "side")

    with Repository.open(directory) as repository:
        head = repository.resolve("HEAD")
        assert repository.first_parents(base, "HEAD") == (main, head)
        assert repository.parents("HEAD") == (main, side)
        assert repository.merge_base("side", main) == base
        assert repository.history("HEAD", 2) == (head, main)


def test_unrelated_histories_have_no_merge_base(tmp_path: Path) -> None:
    directory = git_repository(tmp_path, ONE)
    git(directory, "checkout", "-q", "--orphan", "other")
    commit_tree(directory, TWO, "Another start")

    with Repository.open(directory) as repository:
        assert repository.merge_base("main", "other") is None


def test_messages_and_trailers_are_read(tmp_path: Path) -> None:
    directory = git_repository(tmp_path)
    message = "Protect what leaves\n\nBody: not a trailer.\n\nFlux-Handover-Phase: protect\nFlux-Handover-Plan: abc\n"
    commit_tree(directory, ONE, message)

    with Repository.open(directory) as repository:
        assert repository.commit_message("HEAD") == message
        assert repository.trailers("HEAD") == (("Flux-Handover-Phase", "protect"), ("Flux-Handover-Plan", "abc"))


def test_a_message_in_another_encoding_is_read(tmp_path: Path) -> None:
    directory = git_repository(tmp_path)
    git(directory, "config", "i18n.commitEncoding", "ISO-8859-1")
    (directory / "message").write_bytes("Grüße\n".encode("latin-1"))
    git(directory, "commit", "-q", "--allow-empty", "-F", "message")

    with Repository.open(directory) as repository:
        assert repository.commit_message("HEAD") == "Grüße\n"


def test_branches_are_listed_by_prefix(tmp_path: Path) -> None:
    directory = git_repository(tmp_path, ONE)
    for name in ("handover/1-protect", "handover/2-operator", "other"):
        git(directory, "branch", name)

    with Repository.open(directory) as repository:
        sha = repository.resolve("HEAD")
        assert repository.branches("handover/") == (("handover/1-protect", sha), ("handover/2-operator", sha))
        assert repository.head_branch() == "main"


def test_a_detached_head_has_no_branch(tmp_path: Path) -> None:
    directory = git_repository(tmp_path, ONE)
    git(directory, "checkout", "-q", "--detach")

    with Repository.open(directory) as repository:
        assert repository.head_branch() is None


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ada:token@example.org/fleet.git", "https://example.org/fleet.git"),
        ("https://token@example.org/fleet.git", "https://example.org/fleet.git"),
        ("git@example.org:ada/fleet.git", "git@example.org:ada/fleet.git"),
    ],
)
def test_the_address_of_a_remote_holds_no_token(tmp_path: Path, url: str, shown: str) -> None:
    directory = git_repository(tmp_path, ONE)
    git(directory, "remote", "add", "origin", url)

    with Repository.open(directory) as repository:
        assert repository.remote_url() == shown
        assert repository.remote_url("absent") is None


def test_reading_a_second_revision_asks_only_for_new_blobs(tmp_path: Path) -> None:
    directory = git_repository(tmp_path, ONE, TWO)

    with Repository.open(directory) as repository:
        first, second = repository.read_tree("HEAD~1"), repository.read_tree("HEAD")

    assert first.files["README.md"].content is second.files["README.md"].content


def test_a_partial_clone_is_not_completed_over_the_network(tmp_path: Path) -> None:
    directory = git_repository(tmp_path / "full", ONE)
    git(directory, "config", "uploadpack.allowFilter", "true")
    partial = tmp_path / "partial"
    git(directory, "clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{directory}", str(partial))

    with Repository.open(partial) as repository:
        try:
            tree = repository.read_tree("HEAD")
        except UnreadableRepository:
            tree = Tree()

    assert all(file.content is None for file in tree.files.values())
    assert git(partial, "rev-list", "--objects", "--missing=print", "HEAD").count("?") == len(ONE.files)
