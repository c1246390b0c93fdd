"""What an unquoted YAML scalar means to kustomize, which is neither YAML 1.1 nor quite 1.2.

kustomize decodes every manifest with go-yaml v3 into untyped values, so `yes`, `on` and `off`
are strings, `0o17`, `017` and `0x1f` are integers (`go.yaml.in/yaml/v3:resolve.go@v3.0.4`).
One difference is wanted: a timestamp stays the text that was written.
"""

from __future__ import annotations

import math
import re

Scalar = None | bool | int | float | str

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_NUMBER_START = frozenset("0123456789+-.")
_INTEGER = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+|0[0-7]*|[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_OLD_OCTAL = re.compile(r"\A([-+]?)0([0-7]+)\Z")
_SMALLEST, _LARGEST = -(2**63), 2**64 - 1
_LONGEST_INTEGER = 80
_TAG = "tag:yaml.org,2002:"


def plain_value(text: str) -> Scalar:
    """The value of an untagged scalar written without quotes."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in _NUMBER_START:
        return _number(text)
    return text


def tagged_value(tag: str, text: str) -> Scalar:
    """The value of a scalar with an explicit tag; tags that are not YAML's own leave the text alone."""
    if tag in (f"{_TAG}int", f"{_TAG}float", f"{_TAG}bool", f"{_TAG}null"):
        return plain_value(text)
    return text


def _number(text: str) -> Scalar:
    digits = text.replace("_", "") if text[0] != "." else text
    if len(digits) <= _LONGEST_INTEGER and _INTEGER.match(digits):
        number = int(_OLD_OCTAL.sub(r"\g<1>0o\2", digits), 0)
        return number if _SMALLEST <= number <= _LARGEST else float(number)
    if _FLOAT.match(digits):
        value = float(digits)
        return text if math.isinf(value) else value
    return text
