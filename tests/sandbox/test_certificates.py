from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest

from flux_handover.adapters.sandbox.control.certificates import Authority, is_address, make_key, openssl, public_key
from flux_handover.errors import SandboxError


def handshake(authority: Authority, served: str, wanted: str) -> bool:
    """Whether a client that trusts only the authority accepts the server of `served` as `wanted`."""
    issued = authority.certificate_for(served)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(issued.certificate, issued.key)
    client = ssl.create_default_context(cafile=str(authority.certificate))
    ours, theirs = socket.socketpair()

    def serve() -> None:
        try:
            with server.wrap_socket(theirs, server_side=True) as secured:
                secured.recv(1)
        except (ssl.SSLError, OSError):
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(ours, server_hostname=wanted) as secured:
            secured.send(b"x")
        return True
    except ssl.SSLCertVerificationError:
        return False
    finally:
        ours.close()
        thread.join(5)


@pytest.mark.parametrize(
    ("served", "wanted", "expected"),
    [
        ("git.example.org", "git.example.org", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("git.example.org", "other.example.org", False),
    ],
)
def test_a_certificate_is_good_for_its_own_name_only(tmp_path: Path, served: str, wanted: str, expected: bool) -> None:
    authority = Authority(tmp_path / "pki", "test")

    assert handshake(authority, served, wanted) is expected


def test_a_certificate_is_made_once_for_a_name(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "pki", "test")

    assert authority.certificate_for("a.example.org") == authority.certificate_for("a.example.org")
    assert authority.certificate_for("a.example.org") != authority.certificate_for("b.example.org")


def test_private_keys_are_ours_alone(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "pki", "test")

    issued = authority.certificate_for("a.example.org")

    assert issued.key.stat().st_mode & 0o077 == 0
    assert (tmp_path / "pki").stat().st_mode & 0o077 == 0


def test_the_public_half_of_a_key_holds_no_secret(tmp_path: Path) -> None:
    make_key(tmp_path / "accounts.key")

    text = public_key(tmp_path / "accounts.key").read_text()

    assert text.startswith("-----BEGIN PUBLIC KEY-----")
    assert "PRIVATE" not in text


@pytest.mark.parametrize(("host", "expected"), [("127.0.0.1", True), ("::1", True), ("localhost", False)])
def test_addresses_are_told_from_names(host: str, expected: bool) -> None:
    assert is_address(host) is expected


def test_what_openssl_refuses_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="openssl x509 failed"):
        openssl("x509", "-in", "absent.crt", at=tmp_path)
