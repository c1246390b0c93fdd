"""Patches of Flux that name a generated ConfigMap: with a hash refused, without one carried."""

from __future__ import annotations

import pytest
from bootstrapped import HOME, LIST, aviary
from plan.test_settings import rendered, target_of
from planning import Reader

from flux_handover.errors import UnsupportedInstallation
from flux_handover.model.effective_kept import lost

GENERATOR = "configMapGenerator:\n- name: proxy\n  namespace: flux-system\n  literals: [HTTPS_PROXY=http://proxy]\n"
USING = """patches:
- patch: |
    - op: add
      path: /spec/template/spec/containers/0/envFrom
      value: [{configMapRef: {name: proxy}}]
  target: {kind: Deployment}
"""
OTHER = USING.replace("name: proxy", "name: proxy-of-mine")


def test_a_name_with_a_hash_is_refused_at_its_generator(reader: Reader) -> None:
    with pytest.raises(UnsupportedInstallation, match="proxy is generated with a hash") as refusal:
        reader.plan(aviary(GENERATOR + USING))

    assert refusal.value.where == f"{HOME}/kustomization.yaml:{LIST.count(chr(10)) + 1}"
    assert "disableNameSuffixHash" in refusal.value.hint


@pytest.mark.parametrize(
    "more",
    [
        GENERATOR + "  options: {disableNameSuffixHash: true}\n" + USING,
        GENERATOR + "generatorOptions: {disableNameSuffixHash: true}\n" + USING,
        GENERATOR + OTHER,
    ],
    ids=["its option", "everybody's option", "another name"],
)
def test_a_name_as_it_is_written_is_carried(more: str, reader: Reader) -> None:
    tree = aviary(more)

    found = rendered(target_of(tree, reader), reader)

    installation = reader(tree).installations["clusters/aviary"]
    assert lost(installation.live, found, renamed=dict(installation.renamed)) == ()
