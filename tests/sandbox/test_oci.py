"""The client against registries on loopback: ours, and Debian's where it is installed."""

from __future__ import annotations

import io
import json
import platform
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from flux_handover.adapters.oci import (
    FLUX_CONFIG,
    FLUX_LAYER,
    INDEX,
    MANIFEST,
    Layer,
    OciClient,
    OciError,
    Reference,
    digest_of,
    packed,
    parse_reference,
    unpack,
)
from flux_handover.adapters.sandbox.control.ports import free_port
from flux_handover.adapters.sandbox.world.http import Request, Response, plain_server
from flux_handover.adapters.sandbox.world.registry import Registry

DIGEST = "sha256:" + "a" * 64
DEBIAN = shutil.which("docker-registry")


@pytest.fixture(params=["ours", pytest.param("debian", marks=pytest.mark.skipif(not DEBIAN, reason="not installed"))])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A registry's host on loopback."""
    if request.param == "ours":
        with plain_server(Registry().answer) as port:
            yield f"127.0.0.1:{port}"
    else:
        yield from debian_registry(tmp_path)


def debian_registry(folder: Path) -> Iterator[str]:
    port = free_port()
    storage = f"storage: {{filesystem: {{rootdirectory: {folder}/registry}}}}"
    (folder / "registry.yml").write_text(f"version: 0.1\n{storage}\nhttp: {{addr: '127.0.0.1:{port}'}}\n")
    log = (folder / "registry.log").open("wb")
    process = subprocess.Popen((DEBIAN or "", "serve", str(folder / "registry.yml")), stdout=log, stderr=log)
    try:
        for _ in range(100):
            if is_up(port):
                break
            time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)
        log.close()


def is_up(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/v2/").status_code == 200
    except httpx2.HTTPError:
        return False


@pytest.fixture
def client() -> Iterator[OciClient]:
    client = OciClient()
    yield client
    client.close()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ghcr.io/a/b:v1", Reference("ghcr.io", "a/b", "v1")),
        ("oci://ghcr.io/a/b", Reference("ghcr.io", "a/b")),
        (f"ghcr.io/a/b:v1@{DIGEST}", Reference("ghcr.io", "a/b", "v1", DIGEST)),
        ("127.0.0.1:5000/b:v1", Reference("127.0.0.1:5000", "b", "v1")),
        ("localhost/b", Reference("localhost", "b")),
    ],
)
def test_references_have_a_host_a_repository_and_a_tag_or_digest(text: str, expected: Reference) -> None:
    assert parse_reference(text) == expected
    assert parse_reference(str(expected)) == expected


@pytest.mark.parametrize("text", ["nginx", "ghcr.io", "ghcr.io/A/b", "https://ghcr.io/a/b", f"ghcr.io/a/b@{DIGEST}0"])
def test_what_names_no_host_or_artifact_is_refused(text: str) -> None:
    with pytest.raises(OciError, match="names no artifact"):
        parse_reference(text)


def test_only_loopback_is_spoken_to_without_tls() -> None:
    assert Reference("127.0.0.1:5000", "a").base.startswith("http://")
    assert Reference("127.0.0.1.example.org", "a").base.startswith("https://")


def test_what_is_pushed_can_be_pulled(host: str, client: OciClient) -> None:
    reference = Reference(host, "flux/manifests", "v2.9.4")
    layer = Layer(FLUX_LAYER, packed({"a.yaml": b"kind: A\n"}))

    digest = client.push(reference, (layer,), annotations={"note": "x"})

    artifact = client.pull(reference)
    assert artifact.digest == digest == client.resolve(reference)
    assert artifact.layers == (layer,)
    assert artifact.manifest["annotations"] == {"note": "x"}
    assert client.pull(replace(reference, tag="", digest=digest)).layers == (layer,)


def test_what_is_not_there_is_an_error_that_names_it(host: str, client: OciClient) -> None:
    with pytest.raises(OciError) as caught:
        client.pull(Reference(host, "absent/artifact", "v1"))

    assert "absent/artifact:v1" in str(caught.value)
    assert "404" in caught.value.message


def test_a_registry_that_does_not_answer_is_an_error(client: OciClient) -> None:
    with pytest.raises(OciError, match="gave no answer"):
        client.pull(Reference(f"127.0.0.1:{free_port()}", "a", "v1"))


def test_of_several_platforms_this_machines_is_pulled(host: str, client: OciClient) -> None:
    processor = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    entries = []
    for name in (processor, "s390x"):
        digest = client.push(Reference(host, "images/tool", name), (Layer(FLUX_LAYER, packed({name: b""})),))
        entry = {"mediaType": MANIFEST, "digest": digest, "size": 1, "platform": {"os": "linux", "architecture": name}}
        entries.append({**entry, "size": len(raw_manifest(host, digest))})
    put_index(host, entries)

    pulled = client.pull(Reference(host, "images/tool", "v1"))

    assert pulled.layers[0].content == packed({processor: b""})


def test_an_index_without_this_machines_platform_is_refused(host: str, client: OciClient) -> None:
    digest = client.push(Reference(host, "images/tool", "x"), (Layer(FLUX_LAYER, packed({"x": b""})),))
    size = len(raw_manifest(host, digest))
    other = {
        "mediaType": MANIFEST,
        "digest": digest,
        "size": size,
        "platform": {"os": "linux", "architecture": "s390x"},
    }
    put_index(host, [other])

    with pytest.raises(OciError, match="there is no image for linux/"):
        client.pull(Reference(host, "images/tool", "v1"))


def raw_manifest(host: str, digest: str) -> bytes:
    url = f"http://{host}/v2/images/tool/manifests/{digest}"
    return httpx2.get(url, headers={"Accept": MANIFEST}).content


def put_index(host: str, entries: list[dict[str, object]]) -> None:
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
    url = f"http://{host}/v2/images/tool/manifests/v1"
    httpx2.put(url, content=index, headers={"Content-Type": INDEX}).raise_for_status()


def test_a_layer_that_is_not_what_its_digest_says_is_refused(client: OciClient) -> None:
    registry = Registry()

    def lying(request: Request) -> Response:
        answer = registry.answer(request)
        is_layer = request.method == "GET" and "/blobs/" in request.path
        return Response(answer.status, b"evil", {"Content-Type": "x"}) if is_layer else answer

    with plain_server(lying) as port:
        reference = Reference(f"127.0.0.1:{port}", "a/b", "v1")
        client.push(reference, (Layer(FLUX_LAYER, b"good"),))
        with pytest.raises(OciError, match="not what its digest says"):
            client.pull(reference)


def test_a_manifest_that_is_not_what_its_digest_says_is_refused(client: OciClient) -> None:
    refused = pytest.raises(OciError, match="not what its digest says")

    with plain_server(lambda request: Response(200, b'{"layers": []}')) as port, refused:
        client.pull(Reference(f"127.0.0.1:{port}", "a/b", digest=DIGEST))


def test_a_registry_that_wants_a_token_is_given_the_one_it_hands_out(client: OciClient) -> None:
    registry, asked = Registry(), []

    def guarded(request: Request) -> Response:
        if request.path == "/token":
            asked.append(request.query)
            return Response(200, b'{"token": "everybody"}', {"Content-Type": "application/json"})
        if request.headers.get("authorization") != "Bearer everybody":
            realm = f'Bearer realm="http://{request.host}/token",service="s",scope="repository:a/b:pull"'
            return Response(401, b"", {"WWW-Authenticate": realm})
        return registry.answer(request)

    with plain_server(guarded) as port:
        reference = Reference(f"127.0.0.1:{port}", "a/b", "v1")
        client.push(reference, (Layer(FLUX_LAYER, b"x"),))
        assert client.pull(reference).layers[0].content == b"x"

    assert len(asked) == 1
    assert "scope=repository" in asked[0]


def test_packing_is_deterministic() -> None:
    assert packed({"a": b"1", "b": b"2"}) == packed({"b": b"2", "a": b"1"})


def tar(*entries: tarfile.TarInfo | tuple[str, bytes]) -> Layer:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                archive.addfile(entry)
            else:
                member = tarfile.TarInfo(entry[0])
                member.size, member.mode = len(entry[1]), 0o755
                archive.addfile(member, io.BytesIO(entry[1]))
    return Layer(FLUX_LAYER, buffer.getvalue())


def entry(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def test_layers_lie_over_each_other(tmp_path: Path) -> None:
    unpack((tar(("bin/tool", b"old"), ("etc/a", b"1")), tar(("bin/tool", b"new"))), tmp_path / "root")

    assert (tmp_path / "root/bin/tool").read_bytes() == b"new"
    assert (tmp_path / "root/etc/a").read_bytes() == b"1"
    assert (tmp_path / "root/bin/tool").stat().st_mode & 0o111


def test_an_upper_layer_removes_what_it_says(tmp_path: Path) -> None:
    lower = tar(("etc/a", b"1"), ("etc/b", b"2"), ("opt/x/y", b"3"))

    unpack((lower, tar(("etc/.wh.a", b""), ("opt/.wh..wh..opq", b""), ("opt/z", b"4"))), tmp_path / "root")

    left = sorted(str(path.relative_to(tmp_path / "root")) for path in (tmp_path / "root").rglob("*") if path.is_file())
    assert left == ["etc/b", "opt/z"]


@pytest.mark.parametrize(
    "evil",
    [
        tar(("../outside", b"x")),
        tar(entry("link", tarfile.SYMTYPE, "../.."), ("link/outside", b"x")),
        tar(entry("link", tarfile.SYMTYPE, "/etc")),
        tar(entry("device", tarfile.CHRTYPE)),
        tar((".wh...", b"")),
    ],
)
def test_nothing_is_written_or_removed_outside_the_folder(tmp_path: Path, evil: Layer) -> None:
    (tmp_path / "kept").touch()

    unpack((evil,), tmp_path / "a" / "root")

    assert (tmp_path / "kept").exists()
    assert not (tmp_path / "outside").exists()
    assert not (tmp_path / "a" / "outside").exists()
    assert not (tmp_path / "a" / "root" / "device").exists()


def test_a_digest_is_that_of_the_bytes() -> None:
    assert digest_of(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_an_artifact_of_flux_names_its_config(client: OciClient) -> None:
    with plain_server(Registry().answer) as port:
        reference = Reference(f"127.0.0.1:{port}", "a/b", "v1")
        client.push(reference, ())

        assert client.pull(reference).manifest["config"]["mediaType"] == FLUX_CONFIG
