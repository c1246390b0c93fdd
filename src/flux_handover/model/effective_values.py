"""Values of settings as text, and the form in which two spellings of one value are equal."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?\d+)?")
_SUFFIX = {
    "m": Decimal("0.001"),
    "k": Decimal(10) ** 3,
    "M": Decimal(10) ** 6,
    "G": Decimal(10) ** 9,
    "T": Decimal(10) ** 12,
    "P": Decimal(10) ** 15,
    "E": Decimal(10) ** 18,
    "Ki": Decimal(2) ** 10,
    "Mi": Decimal(2) ** 20,
    "Gi": Decimal(2) ** 30,
    "Ti": Decimal(2) ** 40,
    "Pi": Decimal(2) ** 50,
    "Ei": Decimal(2) ** 60,
}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|us|ns|h|m|s))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|ns|h|m|s)")
_SECONDS = {
    "h": Decimal(3600),
    "m": Decimal(60),
    "s": Decimal(1),
    "ms": Decimal("0.001"),
    "us": Decimal("0.000001"),
    "ns": Decimal("0.000000001"),
}


def text(value: Any) -> str:
    """A value as a person would write it: scalars as in YAML, everything else as sorted JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)


def quantity(value: str) -> str:
    """A Kubernetes quantity in one spelling: `2000m` is `2`, `1Gi` is `1073741824`; other text stays.

    `k8s.io/apimachinery:pkg/api/resource/quantity.go@v0.34.4`.
    """
    match = _QUANTITY.fullmatch(value.strip())
    if match is None:
        return value
    number, suffix = Decimal(match[1]), match[2] or ""
    exponent = Decimal(10) ** int(suffix[1:]) if suffix[1:].lstrip("+-").isdigit() else _SUFFIX.get(suffix, Decimal(1))
    return _plain(number * exponent)


def duration(value: str) -> str:
    """A Go duration in seconds, so that `60m` is `1h`; other text stays."""
    if _DURATION.fullmatch(value) is None:
        return value
    return f"{_plain(sum((Decimal(n) * _SECONDS[unit] for n, unit in _PART.findall(value)), Decimal(0)))}s"


def image(value: str) -> str:
    """An image by name and tag: the digest that the operator pins beside a tag does not change what runs."""
    name, _, digest = value.partition("@")
    return name if digest and ":" in name.rpartition("/")[2] else value


def _plain(number: Decimal) -> str:
    whole = number.to_integral_value()
    return str(int(whole)) if whole == number else format(number.normalize(), "f")
