"""What of a long list of parameters `make check` tries; `make test` tries them all."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def slow_but(kept: Collection[Any], values: Iterable[Any]) -> list[Any]:
    """The parameters, all slow but those that stand for the others."""
    return [pytest.param(value, marks=() if value in kept else pytest.mark.slow) for value in values]


def slowly(chosen: Collection[Any], values: Iterable[Any]) -> list[Any]:
    """The parameters, those slow that take long and say what others say."""
    return [pytest.param(value, marks=pytest.mark.slow if value in chosen else ()) for value in values]
