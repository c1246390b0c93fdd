"""Our rendering of a FluxInstance against what the operator's own CLI printed for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from model.instances import by_id

from flux_handover.adapters.engine import Engine
from flux_handover.model.instance import InstanceError, Kustomizer, render_instance

GOLDENS = Path(__file__).parents[3] / "shared" / "goldens"
CASES = sorted(folder.name for folder in GOLDENS.glob("*/"))
RELEASE = "0.58.1"
"""The operator whose CLI made the goldens."""

pytestmark = pytest.mark.skipif(not CASES, reason="../shared/goldens is absent")


@pytest.fixture(scope="module")
def engine() -> Iterator[Kustomizer]:
    with Engine() as running:
        yield running


def read(case: str, file: str) -> list[Any]:
    return list(yaml.load_all((GOLDENS / case / file).read_bytes(), Loader=yaml.CSafeLoader))


@pytest.mark.parametrize("case", [case for case in CASES if not case.startswith("error-")])
def test_objects_and_all_their_fields_are_equal(case: str, engine: Kustomizer) -> None:
    (instance,) = read(case, "instance.yaml")

    ours = by_id([object.data for object in render_instance(instance, engine, operator_version=RELEASE)])

    assert ours == by_id(read(case, "objects.yaml"))


@pytest.mark.parametrize("case", [case for case in CASES if case.startswith("error-")])
def test_errors_are_equal(case: str, engine: Kustomizer) -> None:
    (instance,) = read(case, "instance.yaml")

    with pytest.raises(InstanceError) as caught:
        render_instance(instance, engine, operator_version=RELEASE)

    assert caught.value.message == (GOLDENS / case / "error.txt").read_text().strip().removeprefix("✗ ")
