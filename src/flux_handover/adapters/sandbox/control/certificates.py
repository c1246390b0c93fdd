"""A certificate authority of our own, made with openssl and valid for a few days.

Python's standard library can use certificates but not make them; every system that has Git and a
Flux repository on it has `openssl`.
"""

from __future__ import annotations

import ipaddress
import re
import shutil
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

from flux_handover.errors import SandboxError

DAYS = "30"
CURVE = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
# LibreSSL and OpenSSL differ in their default configuration; this one says all that matters.
CONFIGURATION = """\
[req]
distinguished_name = name
x509_extensions = authority
prompt = no
[name]
CN = {name}
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
"""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its private key, as files."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates for names and addresses; `certificate` is what others must trust."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._lock = threading.Lock()
        self._issued: dict[tuple[str, ...], Certificate] = {}
        self.certificate = folder / "ca.crt"
        (folder / "ca.cnf").write_text(CONFIGURATION.format(name=name))
        make_key(folder / "ca.key")
        openssl(
            "req", "-x509", "-new", "-key", "ca.key", "-config", "ca.cnf", "-out", "ca.crt", "-days", DAYS, at=folder
        )

    def certificate_for(self, *hosts: str) -> Certificate:
        """A server certificate for host names and IP addresses; made once for each set."""
        with self._lock:
            if hosts not in self._issued:
                self._issued[hosts] = self._issue(hosts)
            return self._issued[hosts]

    def _issue(self, hosts: tuple[str, ...]) -> Certificate:
        stem = f"{len(self._issued)}-{re.sub('[^A-Za-z0-9.-]', '_', hosts[0])}"
        names = ", ".join(f"{'IP' if is_address(host) else 'DNS'}:{host}" for host in hosts)
        (self._folder / f"{stem}.ext").write_text(f"subjectAltName = {names}\nextendedKeyUsage = serverAuth\n")
        (self._folder / f"{stem}.cnf").write_text(
            f"[req]\ndistinguished_name = n\nprompt = no\n[n]\nCN = {hosts[0][:60]}\n"
        )
        make_key(self._folder / f"{stem}.key")
        request = ("-key", f"{stem}.key", "-config", f"{stem}.cnf", "-out", f"{stem}.csr")
        openssl("req", "-new", *request, at=self._folder)
        signing = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", DAYS)
        extensions = ("-extfile", f"{stem}.ext", "-sha256")
        openssl("x509", "-req", "-in", f"{stem}.csr", *signing, *extensions, "-out", f"{stem}.crt", at=self._folder)
        return Certificate(self._folder / f"{stem}.crt", self._folder / f"{stem}.key")


def make_key(path: Path) -> None:
    """Writes a private key that only we can read."""
    path.touch(mode=0o600)
    openssl("genpkey", *CURVE, "-out", path.name, at=path.parent)


def public_key(key: Path) -> Path:
    """The public half of a key, in a file beside it."""
    public = key.with_suffix(".pub")
    openssl("pkey", "-in", key.name, "-pubout", "-out", public.name, at=key.parent)
    return public


def is_address(host: str) -> bool:
    """Whether `host` is an IP address and not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def openssl(*arguments: str, at: Path) -> None:
    """Runs openssl in a folder."""
    program = shutil.which("openssl")
    if program is None:
        raise SandboxError("the sandbox needs openssl, and there is none", hint="install openssl")
    done = subprocess.run((program, *arguments), cwd=at, capture_output=True, text=True)
    if done.returncode:
        raise SandboxError(f"openssl {arguments[0]} failed", where=str(at), hint=done.stderr.strip()[-300:])
