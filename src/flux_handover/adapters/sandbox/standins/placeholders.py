"""What takes the place of a value that only the user can decrypt: same type, same shape, no secret.

Pure: a document as SOPS wrote it becomes the document as it was before, with other values.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

from flux_handover.objects import mapping

ENCRYPTED = re.compile(r"ENC\[AES256_GCM,data:[^,]*,iv:[^,]*,tag:[^,]*,type:(\w+)\]")
RULES = ("encrypted_regex", "unencrypted_regex", "encrypted_suffix", "unencrypted_suffix")
# The API server refuses these keys where they do not hold what it expects.
BY_KEY: Mapping[str, str] = {".dockerconfigjson": '{"auths": {}}', ".dockercfg": "{}"}
BY_TYPE: Mapping[str, Any] = {"int": 1, "float": 1.5, "bool": True}


def is_encrypted(document: Any) -> bool:
    """Whether SOPS wrote this document."""
    return "mac" in mapping(mapping(document).get("sops"))


def rule_of(document: Mapping[str, Any]) -> tuple[str, str] | None:
    """Which values SOPS had to encrypt, as one of its options and the option's value."""
    stanza = mapping(document.get("sops"))
    return next(((name, str(stanza[name])) for name in RULES if stanza.get(name)), None)


def replaced(document: Mapping[str, Any], values: Mapping[str, str]) -> Mapping[str, Any]:
    """The document with placeholders, without SOPS's own part; `values` are given by key."""
    is_secret = document.get("kind") == "Secret"
    return {
        key: revealed(value, key, values, binary=is_secret and key == "data")
        for key, value in document.items()
        if key != "sops"
    }


def revealed(value: Any, key: str, values: Mapping[str, str], *, binary: bool) -> Any:
    """A value of a document, its encrypted parts replaced; in a Secret's `data` they are base64."""
    if isinstance(value, Mapping):
        return {name: revealed(part, str(name), values, binary=binary) for name, part in value.items()}
    if isinstance(value, list):
        return [revealed(part, key, values, binary=binary) for part in value]
    match = ENCRYPTED.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return value
    plain = placeholder(key, match[1], values)
    return base64.b64encode(str(plain).encode()).decode() if binary else plain


def placeholder(key: str, type: str, values: Mapping[str, str]) -> Any:
    """A value of a type for a key: the one given, else one that is valid as a DNS name."""
    if key in values:
        return values[key]
    if key in BY_KEY:
        return BY_KEY[key]
    if type in BY_TYPE:
        return BY_TYPE[type]
    return re.sub(r"[^a-z0-9]+", "-", f"placeholder-{key.lower()}").strip("-")[:60]


def dotenv_replaced(text: str, values: Mapping[str, str]) -> str:
    """A `.env` file with placeholders, without SOPS's own lines."""
    lines = [line for line in text.splitlines() if not line.startswith("sops_")]
    return "".join(f"{dotenv_line(line, values)}\n" for line in lines)


def dotenv_line(line: str, values: Mapping[str, str]) -> str:
    """One line of a `.env` file, its value replaced if it is encrypted."""
    name, equals, value = line.partition("=")
    match = ENCRYPTED.fullmatch(value.strip())
    return f"{name}={placeholder(name, match[1], values)}" if equals and match else line
