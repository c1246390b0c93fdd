"""Secrets that the controllers can decrypt: placeholders, encrypted for a key made for the occasion.

The user's values cannot be read here, and must not be. So every SOPS file of the tree is written anew,
with the same keys, the same rule of what is encrypted, and a throw-away age key as its only recipient:
the controllers decrypt really, and what they get is worth nothing.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from flux_handover.adapters.sandbox.control.processes import plain_environment
from flux_handover.adapters.sandbox.standins.placeholders import (
    RULES,
    dotenv_replaced,
    is_encrypted,
    replaced,
    rule_of,
)
from flux_handover.errors import SandboxError
from flux_handover.tree import Tree

RECIPIENT = re.compile(r"public key: (age1\w+)")
MARK = b"ENC[AES256_GCM,"
STANZA = re.compile(r"^sops:\n(?:(?:[ \t].*)?\n)*", re.MULTILINE)
RULE = re.compile(rf"^ +({'|'.join(RULES)}): (.+)$", re.MULTILINE)
Rule = tuple[str, str] | None
YAML_ENDS, JSON_ENDS, DOTENV_ENDS = (".yaml", ".yml"), (".json",), (".env",)


@dataclass(frozen=True, slots=True)
class AgeKey:
    """A key pair of age; the private half is a file."""

    recipient: str
    identity: Path

    def secret(self, name: str, namespace: str) -> Mapping[str, Any]:
        """The Secret that a Kustomization's `decryption.secretRef` names."""
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": namespace},
            "stringData": {"sandbox.agekey": self.identity.read_text()},
        }


@dataclass(frozen=True, slots=True)
class Disguised:
    """A tree whose secrets were replaced: which files were, and which could not be."""

    tree: Tree
    replaced: tuple[str, ...]
    untouched: tuple[str, ...]


def make_age_key(program: Path, folder: Path) -> AgeKey:
    """A new key, in a file that only we can read."""
    identity = folder / "age.key"
    identity.touch(mode=0o600)
    done = subprocess.run((str(program),), capture_output=True, text=True, env=dict(plain_environment()))
    match = RECIPIENT.search(done.stdout)
    if match is None:
        raise SandboxError("age-keygen made no key", where=str(program))
    identity.write_text(done.stdout)
    return AgeKey(match[1], identity)


class Disguise:
    """Replaces the SOPS files of trees; equal files are encrypted once, so that nothing else differs."""

    def __init__(self, sops: Path, key: AgeKey, folder: Path, values: Mapping[str, str]) -> None:
        self._sops, self._key, self._folder, self._values = sops, key, folder, values
        self._done: dict[tuple[str, str], bytes | None] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def apply(self, tree: Tree) -> Disguised:
        """The tree with placeholders in every SOPS file that can be read as one."""
        replaced_paths, untouched = [], []
        result = tree
        for path in sops_files(tree):
            content = self._disguised(path, tree)
            if content is None:
                untouched.append(path)
                continue
            result = result.with_file(path, content)
            replaced_paths.append(path)
        return Disguised(result, tuple(replaced_paths), tuple(untouched))

    def _disguised(self, path: str, tree: Tree) -> bytes | None:
        key = (tree.files[path].digest, Path(path).suffix)
        if key not in self._done:
            self._done[key] = self._encrypted(path, tree.read(path).decode(errors="replace"))
        return self._done[key]

    def _encrypted(self, path: str, text: str) -> bytes | None:
        if path.endswith(DOTENV_ENDS):
            return self._run(path, dotenv_replaced(text, self._values), ())
        found = read(path, text)
        if found is None:
            return None
        rule, documents = found
        options = (f"--{rule[0].replace('_', '-')}", rule[1]) if rule else ()
        return self._run(path, written(path, [replaced(document, self._values) for document in documents]), options)

    def _run(self, path: str, text: str, options: tuple[str, ...]) -> bytes:
        plain = self._folder / f"plain{Path(path).suffix}"
        plain.write_text(text)
        plain.chmod(0o600)
        # The folder has no .sops.yaml, but those above might, and would override the recipient.
        empty = self._folder / "config.yaml"
        empty.write_text("creation_rules: [{}]\n")
        command = (
            str(self._sops),
            "--config",
            str(empty),
            "--encrypt",
            "--age",
            self._key.recipient,
            *options,
            str(plain),
        )
        environment = {**plain_environment(), "HOME": str(self._folder)}
        done = subprocess.run(command, capture_output=True, env=environment)
        os.unlink(plain)
        if done.returncode:
            raise SandboxError("sops could not encrypt a placeholder", where=path, hint=str(done.returncode))
        return done.stdout


def sops_files(tree: Tree) -> tuple[str, ...]:
    """The files that hold a value encrypted by SOPS."""
    return tuple(path for path in tree if MARK in (tree.files[path].content or b""))


def read(path: str, text: str) -> tuple[Rule, list[Mapping[str, Any]]] | None:
    """The rule and the documents of a file of SOPS; None where it is neither YAML nor JSON of SOPS."""
    try:
        if path.endswith(JSON_ENDS):
            document = json.loads(text)
            return (rule_of(document), [document]) if is_encrypted(document) else None
        return read_yaml(text) if path.endswith(YAML_ENDS) else None
    except (ValueError, yaml.YAMLError):
        return None


def read_yaml(text: str) -> tuple[Rule, list[Mapping[str, Any]]] | None:
    """The rule and the documents of YAML; each one must carry SOPS's stanza.

    The stanza is cut off as text: it is thrown away, so its keys and messages need not be well-formed.
    """
    stanzas = STANZA.findall(text)
    found = list(yaml.load_all(STANZA.sub("", text), Loader=yaml.CSafeLoader))
    documents = [document for document in found if isinstance(document, Mapping)]
    if not stanzas or len(stanzas) != len(documents) or not all("mac:" in stanza for stanza in stanzas):
        return None
    match = RULE.search(stanzas[0])
    return ((match[1], str(yaml.load(match[2], Loader=yaml.CSafeLoader))) if match else None), documents


def written(path: str, documents: list[Mapping[str, Any]]) -> str:
    """The text of a file with these documents."""
    if path.endswith(JSON_ENDS):
        return json.dumps(documents[0], indent=2)
    return yaml.dump_all(documents, Dumper=yaml.CSafeDumper, sort_keys=False)
