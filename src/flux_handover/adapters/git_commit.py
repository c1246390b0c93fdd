"""One commit on a new branch, beside the user's work tree and index.

The commit is made by `git commit` in a temporary linked worktree, so that signing, identity,
and hooks are the user's own; then the committed tree is compared with the one that was proved,
and only then does the branch come into being (ADR 0005).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from flux_handover.adapters.git import Repository
from flux_handover.adapters.git_program import Answer, environment, run
from flux_handover.errors import HandoverError, UsageError
from flux_handover.tree import File, FileKind, Tree

_HOOKS = ("pre-commit", "prepare-commit-msg", "commit-msg", "post-commit")
_WRITING = ("--no-pager", "-c", "core.quotepath=off", "-c", "core.fsmonitor=false", "-c", "protocol.allow=never")
_NO_HOOKS = ("-c", f"core.hooksPath={os.devnull}")
_SAID_LINES = 20


class CommitRefused(HandoverError):
    """A commit that could not be made exactly as it was proved; no branch was created."""


class Hooks(Enum):
    """Whether the commit hooks that the user has set up run, as they do for `git commit`."""

    RUN = "run"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class _Worktree:
    """A temporary linked worktree with its own index."""

    path: Path
    variables: Mapping[str, str]

    def git(self, *arguments: str, options: tuple[str, ...] = (*_WRITING, *_NO_HOOKS), text: bytes = b"") -> Answer:
        answer = run(self.path, *arguments, variables=self.variables, options=options, text=text)
        if answer.status:
            raise _refused(f"git {arguments[0]} failed", answer)
        return answer


def changed_paths(before: Tree, after: Tree) -> tuple[str, ...]:
    """The paths whose content, mode or kind differ, sorted."""
    paths = before.files.keys() | after.files.keys()
    return tuple(sorted(path for path in paths if not _equal(before.files.get(path), after.files.get(path))))


def write_commit(
    repository: Repository,
    parent: str,
    before: Tree,
    after: Tree,
    *,
    message: str,
    branch: str,
    hooks: Hooks = Hooks.RUN,
) -> str:
    """The id of a commit of `after` on top of `parent`, on a new branch; `before` is the parent's tree."""
    parent = repository.resolve(parent)
    _require_new_branch(repository, branch)
    changes = changed_paths(before, after)
    if not changes:
        raise CommitRefused("there is nothing to commit", hint="the two trees are the same")
    if changed_paths(repository.read_tree(parent), before):
        raise CommitRefused(f"{parent[:12]} is not the revision that was planned for", hint="plan again")
    with _worktree(repository, parent) as worktree:
        worktree.git("read-tree", parent)
        worktree.git("update-index", "-z", "--index-info", text=_index_lines(worktree, changes, after, len(parent)))
        sha = _commit(repository, worktree, message, hooks)
        _require_exact(repository, sha, parent, after, message)
        _create_branch(repository, branch, sha)
    return sha


def _equal(one: File | None, other: File | None) -> bool:
    if one is None or other is None:
        return one is other
    # Compared by content too: in a SHA-256 repository Git's digests are not ours.
    same_content = one.digest == other.digest or (one.content is not None and one.content == other.content)
    return same_content and (one.kind, one.executable) == (other.kind, other.executable)


def _require_new_branch(repository: Repository, branch: str) -> None:
    valid = run(repository.path, "check-ref-format", f"refs/heads/{branch}", variables=environment(None, os.environ))
    if valid.status or branch.startswith("-"):
        raise UsageError(f"{branch!r} cannot be the name of a branch")
    # Git keeps branches like files: `a` and `a/b` cannot both be.
    for name in (name for name, _ in repository.branches() if _collide(name, branch)):
        hint = f"delete it with `git branch -D {name}`, or name another prefix with --branch"
        raise UsageError(f"the branch {name} is there already", hint=hint)


def _collide(one: str, other: str) -> bool:
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


@contextlib.contextmanager
def _worktree(repository: Repository, parent: str) -> Iterator[_Worktree]:
    variables = environment(repository.git_dir, os.environ)
    variables.pop("GIT_OPTIONAL_LOCKS")
    directory = Path(tempfile.mkdtemp(prefix="flux-handover-"))
    worktree = _Worktree(directory / directory.name, variables)
    options = (*_WRITING, *_NO_HOOKS)
    try:
        arguments = ("worktree", "add", "--quiet", "--no-checkout", "--detach", str(worktree.path), parent)
        answer = run(repository.path, *arguments, variables=variables, options=options)
        if answer.status:
            raise _refused("git cannot make a temporary worktree", answer)
        yield worktree
    finally:
        # Not `worktree prune`: it would also forget the user's worktrees on a disk that is away.
        removal = ("worktree", "remove", "--force", "--force", str(worktree.path))
        run(repository.path, *removal, variables=variables, options=options)
        shutil.rmtree(directory, ignore_errors=True)


def _index_lines(worktree: _Worktree, changes: tuple[str, ...], after: Tree, id_length: int) -> bytes:
    # Removals come first, so that a file may make way for a directory.
    ordered = sorted(changes, key=lambda path: path in after)
    states = ((path, _stored(worktree, path, after.files.get(path), id_length)) for path in ordered)
    return b"".join(f"{state}\t".encode() + os.fsencode(path) + b"\0" for path, state in states)


def _stored(worktree: _Worktree, path: str, file: File | None, id_length: int) -> str:
    """Mode and id of a file in the index, zero for one that goes; its blob is written."""
    if file is None:
        return f"0 {'0' * id_length}"
    if file.content is None:
        raise CommitRefused("its content was not read, so it cannot be written", where=path)
    mode = "120000" if file.kind is FileKind.LINK else "100755" if file.executable else "100644"
    # --no-filters: the bytes that were proved are the bytes that are committed.
    return f"{mode} {worktree.git('hash-object', '-w', '--stdin', '--no-filters', text=file.content).text}"


def _commit(repository: Repository, worktree: _Worktree, message: str, hooks: Hooks) -> str:
    options: tuple[str, ...] = (*_WRITING, *_NO_HOOKS)
    if hooks is Hooks.RUN and _has_hooks(worktree):
        # Hooks look at files; filters such as Git LFS are left out, they would need the network.
        worktree.git("checkout-index", "--all", "--force", options=(*options, *repository.unfiltered()))
        options = _WRITING
    arguments = ("commit", "--quiet", "--cleanup=verbatim", "--no-status", "--file=-")
    answer = run(worktree.path, *arguments, variables=worktree.variables, options=options, text=message.encode())
    if answer.status:
        raise _refused("git commit was refused, by a hook, by signing or for want of an identity", answer)
    return worktree.git("rev-parse", "HEAD").text


def _has_hooks(worktree: _Worktree) -> bool:
    directory = worktree.path / worktree.git("rev-parse", "--git-path", "hooks", options=_WRITING).text
    return any(os.access(directory / name, os.X_OK) for name in _HOOKS)


def _require_exact(repository: Repository, sha: str, parent: str, after: Tree, message: str) -> None:
    altered = changed_paths(repository.read_tree(sha), after)
    if altered or repository.parents(sha) != (parent,):
        what = ", ".join(altered[:5]) or "its parent"
        raise CommitRefused(
            f"a commit hook changed what was proved: {what}",
            hint="let the hook pass these files, or commit with hooks skipped and run it by hand",
        )
    lost = set(repository.trailers_in(message)) - set(repository.trailers(sha))
    if lost:
        raise CommitRefused(
            f"a commit hook dropped the trailer {sorted(lost)[0][0]}", hint="let the hook keep trailers"
        )


def _create_branch(repository: Repository, branch: str, sha: str) -> None:
    arguments = ("update-ref", "--create-reflog", "-m", "flux-handover: commit", f"refs/heads/{branch}", sha, "")
    answer = run(repository.path, *arguments, variables=environment(repository.git_dir, os.environ))
    if answer.status:
        raise _refused(f"the branch {branch} cannot be created", answer)


def _refused(what: str, answer: Answer) -> CommitRefused:
    said = "\n".join(answer.said.split("\n")[-_SAID_LINES:])
    return CommitRefused(f"{what}; git says:\n{said}", hint="no branch was created, and your files are as they were")
