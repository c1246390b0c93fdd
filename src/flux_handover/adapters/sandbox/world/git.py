"""Git hosts on loopback: bare repositories, written by trees and read by smart HTTP.

The user's repository is only borrowed from: a bare repository names its objects as alternates, and
every commit made here lands in the sandbox's own folder.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from flux_handover.adapters.sandbox.world.http import Request, Response
from flux_handover.errors import SandboxError
from flux_handover.tree import File, FileKind, Tree

ISOLATED = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "safe.directory",
    "GIT_CONFIG_VALUE_0": "*",
    "GIT_TERMINAL_PROMPT": "0",
}
MODES = {FileKind.LINK: "120000", FileKind.SUBMODULE: "160000"}
SUFFIX = re.compile(r"/(info/refs|git-upload-pack)\Z")


class BareRepository:
    """A bare repository of the sandbox; `lender` is a repository whose objects it may use."""

    def __init__(self, folder: Path, *, lender: Path | None = None) -> None:
        self.folder = folder
        git("init", "--quiet", "--bare", "--initial-branch=main", str(folder), at=folder.parent)
        git("config", "uploadpack.allowAnySHA1InWant", "true", at=folder)
        if lender is not None:
            objects = git("rev-parse", "--path-format=absolute", "--git-path", "objects", at=lender)
            (folder / "objects" / "info" / "alternates").write_bytes(objects)

    def commit(self, tree: Tree, branch: str, message: str) -> str:
        """Writes a tree as the branch's next commit; its sha."""
        return self._import(branch, message, (b"deleteall\n", *written(tree)))

    def point(self, branch: str, sha: str) -> None:
        """Lets a branch say a commit that exists, also one of the lender."""
        git("update-ref", f"refs/heads/{branch}", sha, at=self.folder)

    def head(self, branch: str) -> str:
        """The commit of a branch, empty where there is none."""
        found = git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}", at=self.folder)
        return found.decode().strip()

    def _import(self, branch: str, message: str, changes: tuple[bytes, ...]) -> str:
        text = message.encode()
        parent = self.head(branch)
        follows = f"from {parent}\n" if parent else ""
        author = "committer sandbox <sandbox@localhost> 1767225600 +0000"
        start = f"commit refs/heads/{branch}\n{author}\ndata {len(text)}\n".encode() + text + f"\n{follows}".encode()
        git("fast-import", "--quiet", "--force", at=self.folder, content=b"".join((start, *changes)))
        return self.head(branch)


def written(tree: Tree) -> Iterator[bytes]:
    """The lines of a fast-import stream that write every file of a tree."""
    for path in tree:
        file = tree.files[path]
        name = '"' + path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
        if file.content is None or file.kind is FileKind.SUBMODULE:
            yield f"M {mode(file)} {file.digest} {name}\n".encode()
        else:
            yield f"M {mode(file)} inline {name}\ndata {len(file.content)}\n".encode() + file.content + b"\n"


def mode(file: File) -> str:
    """The mode that Git records for a file."""
    return MODES.get(file.kind, "100755" if file.executable else "100644")


class GitHosts:
    """A site that answers as the hosts of any number of repositories, read-only."""

    def __init__(self) -> None:
        self._repositories: dict[tuple[str, str], Path] = {}

    def serve(self, host: str, path: str, folder: Path) -> None:
        """Answers `https://host/path`, with and without `.git`, from a bare repository."""
        self._repositories[(host, path.strip("/").removesuffix(".git"))] = folder

    def folder(self, host: str, path: str) -> Path | None:
        """The repository behind an address, if it is served."""
        return self._repositories.get((host, path.strip("/").removesuffix(".git")))

    def hosts(self) -> frozenset[str]:
        """The hosts that have a repository."""
        return frozenset(host for host, _ in self._repositories)

    def answer(self, request: Request) -> Response | None:
        """The answer of `git http-backend`; None for an address that is no repository of ours."""
        match = SUFFIX.search(request.path)
        folder = self.folder(request.host, request.path[: match.start()]) if match else None
        if match is None or folder is None or "receive-pack" in request.query:
            return None
        return backend(request, folder, match[1])


def backend(request: Request, folder: Path, service: str) -> Response:
    """What Git's own server program answers."""
    variables = {
        **os.environ,
        **ISOLATED,
        "GIT_PROJECT_ROOT": str(folder.parent),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{folder.name}/{service}",
        "QUERY_STRING": request.query,
        "REQUEST_METHOD": request.method,
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(request.body)),
        "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
        "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
        "REMOTE_ADDR": "127.0.0.1",
    }
    done = subprocess.run(("git", "http-backend"), input=request.body, capture_output=True, env=variables)
    return parsed(done.stdout)


def parsed(output: bytes) -> Response:
    """The answer that a CGI program wrote."""
    head, _, body = output.partition(b"\r\n\r\n")
    headers: dict[str, str] = {}
    for line in head.decode(errors="replace").splitlines():
        name, _, value = line.partition(": ")
        headers[name] = value
    status = int(headers.pop("Status", "200").split()[0]) if head else 502
    return Response(status, body, headers)


def git(*arguments: str, at: Path, content: bytes | None = None) -> bytes:
    """What a git command printed, with no configuration of the user or system."""
    environment: Mapping[str, str] = {**os.environ, **ISOLATED}
    done = subprocess.run(("git", *arguments), cwd=at, input=content, capture_output=True, env=environment)
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip()[-300:]
        raise SandboxError(f"git {arguments[0]} failed", where=str(at), hint=words)
    return done.stdout
