"""Git, registries and recordings behind the proxy, asked by real clients: git, curl-like HTTP, the OCI client."""

from __future__ import annotations

import os
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx2
import pytest
from builders import git, git_repository, repo

from flux_handover.adapters.oci import FLUX_CONFIG, FLUX_LAYER, Layer, OciClient, Reference, packed
from flux_handover.adapters.sandbox.control.certificates import Authority
from flux_handover.adapters.sandbox.world.git import BareRepository, GitHosts
from flux_handover.adapters.sandbox.world.http import Request, Response, plain_server
from flux_handover.adapters.sandbox.world.proxy import proxying
from flux_handover.adapters.sandbox.world.recording import Online, Recording, Replay, key
from flux_handover.adapters.sandbox.world.registry import Registry
from flux_handover.errors import SandboxError
from flux_handover.tree import File, FileKind, Tree, blob_digest

ONE = repo("apps/a.yaml", "kind: A\n", "apps/b c.yaml", "kind: B\n")
TWO = repo("apps/a.yaml", "kind: A\n")


class Sites:
    """A Git host and a registry, as a proxy sees them."""

    def __init__(self) -> None:
        self.git = GitHosts()
        self.registry = Registry()

    def reaches(self, host: str) -> bool:
        return host in self.git.hosts() or self.registry.answers(host)

    def answer(self, request: Request) -> Response:
        return self.git.answer(request) or self.registry.answer(request)


@pytest.fixture
def bare(tmp_path: Path) -> BareRepository:
    return BareRepository(tmp_path / "home.git")


@pytest.fixture
def sites(bare: BareRepository) -> Sites:
    sites = Sites()
    sites.git.serve("git.example.org", "ada/home.git", bare.folder)
    return sites


@pytest.fixture
def environment(sites: Sites, tmp_path: Path) -> Iterator[Mapping[str, str]]:
    with proxying(sites, Authority(tmp_path / "pki", "test")) as variables:
        yield variables


def cloned(url: str, target: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    variables = {
        **os.environ,
        **environment,
        "GIT_SSL_CAINFO": environment["SSL_CERT_FILE"],
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
    }
    return subprocess.run(("git", "clone", "-q", url, str(target)), env=variables, capture_output=True, text=True)


def trusting(environment: Mapping[str, str]) -> httpx2.Client:
    """An HTTP client that goes through the proxy and trusts its authority."""
    context = ssl.create_default_context(cafile=environment["SSL_CERT_FILE"])
    return httpx2.Client(proxy=environment["HTTPS_PROXY"], verify=context, trust_env=False)


@pytest.mark.parametrize("url", ["https://git.example.org/ada/home.git", "https://git.example.org/ada/home"])
def test_a_repository_is_cloned_by_its_real_address(
    bare: BareRepository, environment: Mapping[str, str], tmp_path: Path, url: str
) -> None:
    sha = bare.commit(ONE, "main", "one")

    done = cloned(url, tmp_path / "clone", environment)

    assert done.returncode == 0, done.stderr
    assert git(tmp_path / "clone", "rev-parse", "HEAD") == sha
    assert (tmp_path / "clone/apps/b c.yaml").read_text() == "kind: B\n"


def test_what_is_not_served_is_refused_at_once(environment: Mapping[str, str], tmp_path: Path) -> None:
    other = cloned("https://git.example.org/ada/other", tmp_path / "other", environment)
    elsewhere = cloned("https://elsewhere.example.org/ada/home", tmp_path / "elsewhere", environment)

    assert other.returncode != 0
    assert "502" in elsewhere.stderr


def test_nobody_can_push(environment: Mapping[str, str], sites: Sites) -> None:
    with trusting(environment) as client:
        answer = client.get("https://git.example.org/ada/home.git/info/refs?service=git-receive-pack")

    assert answer.status_code == 404


def test_every_commit_holds_exactly_its_tree(bare: BareRepository) -> None:
    first = bare.commit(ONE, "main", "one")
    second = bare.commit(TWO, "main", "two\n\nwith a body")

    assert git(bare.folder, "ls-tree", "-r", "--name-only", first).splitlines() == ["apps/a.yaml", "apps/b c.yaml"]
    assert git(bare.folder, "ls-tree", "-r", "--name-only", second) == "apps/a.yaml"
    assert git(bare.folder, "rev-parse", f"{second}^") == first
    assert bare.head("main") == second
    assert bare.head("other") == ""


def test_modes_and_links_are_kept(bare: BareRepository) -> None:
    script, link = b"#!/bin/sh\n", b"run.sh"
    files = {
        "run.sh": File(script, blob_digest(script), executable=True),
        "link": File(link, blob_digest(link), FileKind.LINK),
        'odd "name"\\.txt': File(b"x", blob_digest(b"x")),
    }

    bare.commit(Tree(files), "main", "modes")

    listed = {line.split("\t")[1]: line[:6] for line in git(bare.folder, "ls-tree", "main").splitlines()}
    assert listed["run.sh"] == "100755"
    assert listed["link"] == "120000"
    assert len(listed) == 3


def test_a_file_that_was_not_read_is_taken_from_the_lender(tmp_path: Path) -> None:
    lender = git_repository(tmp_path / "lender", ONE)
    digest = git(lender, "rev-parse", "HEAD:apps/a.yaml")
    bare = BareRepository(tmp_path / "borrower.git", lender=lender)

    bare.commit(Tree({"big": File(None, digest, omitted="too large")}), "main", "one")

    assert git(bare.folder, "show", "main:big") == "kind: A"


def test_a_branch_can_say_a_commit_of_the_lender(tmp_path: Path) -> None:
    lender = git_repository(tmp_path / "lender", ONE)
    bare = BareRepository(tmp_path / "borrower.git", lender=lender)

    bare.point("main", git(lender, "rev-parse", "HEAD"))

    assert git(bare.folder, "show", "main:apps/a.yaml") == "kind: A"


def test_a_git_that_fails_is_an_error(bare: BareRepository) -> None:
    with pytest.raises(SandboxError, match="git update-ref failed"):
        bare.point("main", "0" * 39 + "1")


def test_an_artifact_is_pulled_by_its_real_address(sites: Sites, environment: Mapping[str, str]) -> None:
    layer = Layer(FLUX_LAYER, packed({"a": b"1"}))
    sites.registry.store("ghcr.io", "fluxcd/flux-manifests", "v2.9.4", (layer,), Layer(FLUX_CONFIG, b"{}"))

    with OciClient(trusting(environment)) as client:
        artifact = client.pull(Reference("ghcr.io", "fluxcd/flux-manifests", "v2.9.4"))

    assert artifact.layers == (layer,)


def test_a_registry_lists_the_tags_of_each_host_apart(sites: Sites, environment: Mapping[str, str]) -> None:
    for host, tag in (("ghcr.io", "v2"), ("ghcr.io", "v1"), ("quay.io", "v9")):
        sites.registry.store(host, "a/b", tag, (), Layer(FLUX_CONFIG, b"{}"))

    with trusting(environment) as client:
        listed = client.get("https://ghcr.io/v2/a/b/tags/list").json()

    assert listed == {"name": "a/b", "tags": ["v1", "v2"]}
    assert sites.registry.tags("docker.io", "a/b") == ()


def test_a_plain_address_goes_through_the_proxy_too(tmp_path: Path) -> None:
    class Echo:
        def reaches(self, host: str) -> bool:
            return True

        def answer(self, request: Request) -> Response:
            return Response(200, f"{request.url} {request.body.decode()}".encode())

    with (
        proxying(Echo(), Authority(tmp_path / "pki", "test")) as variables,
        httpx2.Client(proxy=variables["HTTP_PROXY"], trust_env=False) as client,
    ):
        answer = client.post("http://charts.example.org/index.yaml?x=1", content=iter([b"in ", b"chunks"]))

    assert answer.text == "http://charts.example.org/index.yaml?x=1 in chunks"


@pytest.fixture
def upstream() -> Iterator[tuple[str, list[Request]]]:
    """A real host on loopback, and what it was asked."""
    asked: list[Request] = []

    def answer(request: Request) -> Response:
        asked.append(request)
        match request.path:
            case "/index.yaml":
                return Response(200, b"entries: {}", {"Content-Type": "text/yaml", "Set-Cookie": "secret"})
            case "/moved":
                return Response(302, b"", {"Location": "/index.yaml"})
            case "/private":
                return Response(401, b"", {"WWW-Authenticate": f'Bearer realm="http://{request.host}/token"'})
            case "/token":
                return Response(200, b'{"token": "abc"}')
            case _:
                return Response(500, b"broken")

    with plain_server(answer) as port:
        yield f"127.0.0.1:{port}", asked


def asking(host: str, path: str, **headers: str) -> Request:
    return Request("GET", "http", host, path, headers=headers)


def test_what_was_fetched_online_is_answered_offline(upstream: tuple[str, list[Request]], tmp_path: Path) -> None:
    host, asked = upstream
    online = Online(Recording(tmp_path), httpx2.Client(trust_env=False))
    fetched = [online.answer(asking(host, path)) for path in ("/index.yaml", "/moved")]
    online.close()

    replay = Replay(Recording(tmp_path))

    assert [replay.answer(asking(host, path)).status for path in ("/index.yaml", "/moved")] == [200, 302]
    assert replay.answer(asking(host, "/index.yaml")).body == fetched[0].body
    assert replay.reaches(host)
    assert replay.missed == ()
    assert len(asked) == 2


def test_neither_tokens_nor_failures_nor_cookies_are_recorded(
    upstream: tuple[str, list[Request]], tmp_path: Path
) -> None:
    host, _ = upstream
    online = Online(Recording(tmp_path), httpx2.Client(trust_env=False))
    for path in ("/private", "/token", "/broken", "/index.yaml"):
        online.answer(asking(host, path, authorization="Bearer abc"))
    online.close()

    kept = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())

    assert "entries" in kept
    assert not any(secret in kept for secret in ("abc", "broken", "secret", "/private"))


def test_what_was_not_recorded_is_named(tmp_path: Path) -> None:
    replay = Replay(Recording(tmp_path))

    assert not replay.reaches("charts.example.org")
    assert replay.answer(asking("charts.example.org", "/index.yaml")).status == 502
    assert replay.missed == ("charts.example.org", "http://charts.example.org/index.yaml")


def test_a_host_that_does_not_answer_is_a_bad_gateway(tmp_path: Path) -> None:
    online = Online(Recording(tmp_path), httpx2.Client(trust_env=False))

    assert online.answer(asking("127.0.0.1:1", "/")).status == 502
    online.close()


@pytest.mark.parametrize(
    "other",
    [
        Request("POST", "https", "a", "/x"),
        Request("GET", "https", "b", "/x"),
        Request("GET", "https", "a", "/x", "q=1"),
        Request("GET", "https", "a", "/x", headers={"accept": "text/plain"}),
        Request("GET", "https", "a", "/x", body=b"want"),
    ],
)
def test_requests_that_want_something_else_are_recorded_apart(other: Request) -> None:
    assert key(other) != key(Request("GET", "https", "a", "/x"))


def test_who_asks_does_not_matter() -> None:
    assert key(asking("a", "/x", authorization="me")) == key(asking("a", "/x"))
