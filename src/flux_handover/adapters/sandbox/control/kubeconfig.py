"""Kubeconfig files: one user, one server, its CA verified."""

from __future__ import annotations

import json
import os
from pathlib import Path

NAME = "flux-handover-sandbox"


def write_kubeconfig(path: Path, *, server: str, authority: Path, token: str) -> None:
    """Writes a kubeconfig that only we can read; JSON is YAML."""
    cluster = {"server": server, "certificate-authority": str(authority)}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": NAME,
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME}}],
        "clusters": [{"name": NAME, "cluster": cluster}],
        "users": [{"name": NAME, "user": {"token": token}}],
    }
    write_private(path, json.dumps(document, indent=1))


def write_private(path: Path, text: str) -> None:
    """Writes a file of mode 0600, in one step, so that a reader never sees half of it."""
    draft = path.with_name(f".{path.name}.draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as handle:
        handle.write(text)
    os.replace(draft, path)
