"""References out of the tree that are Flux's own, and what stands behind them: no network is needed for these."""

from __future__ import annotations

from collections.abc import Mapping

from flux_handover import catalogue
from flux_handover.model.detection_remote import RemoteBase, base_manifests, remote_bases
from flux_handover.model.origin import manifest_tree
from flux_handover.tree import Tree

# One for each version of the catalogue at most, so it needs no bound.
_made: dict[tuple[str, bool], Tree] = {}


def known_references(tree: Tree) -> Mapping[str, Tree]:
    """The trees that stand for Flux's manifests, wherever a kustomization.yaml names a version in the catalogue."""
    return {base.reference: _standing_for(base) for base in remote_bases(tree, tree) if catalogue.has(base.version)}


def _standing_for(base: RemoteBase) -> Tree:
    wanted = (base.version, base.is_export)
    if wanted not in _made:
        _made[wanted] = manifest_tree({"install.yaml": base_manifests(base)})
    return _made[wanted]
