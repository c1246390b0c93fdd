"""A variable that nothing defines: empty, or the end of the build, as the version of Flux has it."""

from __future__ import annotations

import pytest
from builders import yaml_text
from model.detecting import ARTIFACT, artifact_site

from flux_handover.adapters.engine import Engine
from flux_handover.model.detection import detect
from flux_handover.model.reading import Reading, take_snapshot
from flux_handover.model.rendering import Build, BuildStatus
from flux_handover.objects import KUSTOMIZE_GROUP, ObjectId
from flux_handover.tree import Tree

SHOP = """
    apiVersion: kustomize.toolkit.fluxcd.io/v1
    kind: Kustomization
    metadata:
      name: shop
      namespace: flux-system
    spec:
      interval: 1h
      path: ./shop
      prune: true
      sourceRef:
        kind: GitRepository
        name: estate
      postBuild:
        substitute:
          zone: example.org
    """
PRICES = """
    apiVersion: v1
    kind: ConfigMap
    metadata:
      name: prices
      namespace: shop
    data:
      zone: ${zone}
      apple: ${apple}
      pear: ${pear}
    """
GATE_OFF = """
    patches:
      - target:
          kind: Deployment
          name: kustomize-controller
        patch: |
          - op: add
            path: /spec/template/spec/containers/0/args/-
            value: --feature-gates=StrictPostBuildSubstitutions=false
    """


def estate(version: str, patches: str = "", shop: str = SHOP, prices: str = PRICES) -> Tree:
    tree = artifact_site(patches, artifact=ARTIFACT.replace("v2.6.4", version))
    tree = tree.with_file("sites/north/shop.yaml", yaml_text(shop).encode())
    return tree.with_file("shop/prices.yaml", yaml_text(prices).encode())


def shop_of(engine: Engine, tree: Tree) -> Build:
    (cluster,) = take_snapshot(tree, "HEAD", engine, detect, Reading()).clusters
    return cluster.builds[ObjectId(KUSTOMIZE_GROUP, "Kustomization", "flux-system", "shop")]


def test_an_undefined_variable_is_empty_up_to_flux_2_8(engine: Engine) -> None:
    shop = shop_of(engine, estate("v2.8.8"))

    assert shop.status is BuildStatus.OK
    assert shop.undefined == {"apple", "pear"}


def test_an_undefined_variable_fails_the_build_from_flux_2_9(engine: Engine) -> None:
    shop = shop_of(engine, estate("v2.9.3"))

    assert shop.status is BuildStatus.FAILED
    assert shop.failure is not None
    assert shop.failure.code == "undefined-variable"
    assert "${apple}, ${pear}" in shop.failure.message
    assert shop.objects == ()
    assert shop.undefined == {"apple", "pear"}


def test_the_gate_can_be_off(engine: Engine) -> None:
    assert shop_of(engine, estate("v2.9.3", GATE_OFF)).status is BuildStatus.OK


def test_a_default_is_no_failure(engine: Engine) -> None:
    defined = PRICES.replace("${apple}", "${apple:=1}").replace("${pear}", "${zone}")

    assert shop_of(engine, estate("v2.9.3", prices=defined)).status is BuildStatus.OK


def test_what_a_missing_source_may_define_is_no_failure_of_this_kind(engine: Engine) -> None:
    elsewhere = f"{yaml_text(SHOP)}    substituteFrom:\n    - kind: Secret\n      name: absent\n"

    shop = shop_of(engine, estate("v2.9.3", shop=elsewhere))

    assert shop.failure is None or shop.failure.code != "undefined-variable"


@pytest.mark.parametrize(("strategy", "expected"), [("Always", None), ("WithVariables", "${apple}")])
def test_without_variables_the_strategy_decides_whether_there_is_substitution(
    engine: Engine, strategy: str, expected: str | None
) -> None:
    alone = (
        yaml_text(SHOP)
        .replace("substitute:\n", f"substituteStrategy: {strategy}\n")
        .replace("      zone: example.org\n", "")
    )

    shop = shop_of(engine, estate("v2.8.8", shop=alone))

    assert shop.status is BuildStatus.OK
    (prices,) = shop.objects
    assert prices.data["data"]["apple"] == expected
