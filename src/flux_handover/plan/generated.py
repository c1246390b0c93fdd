"""ConfigMaps and Secrets that a kustomization.yaml generates, and that patches of Flux name.

kustomize puts a hash of the content at the end of the name, and follows it in everything that it builds. The
FluxInstance builds without the generator, so its patches would name what is not there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from flux_handover.documents import Document
from flux_handover.errors import UnsupportedInstallation
from flux_handover.model.installation import Installation
from flux_handover.objects import listed, mapping
from flux_handover.plan.listings import documents_in, is_listing
from flux_handover.tree import Tree

_GENERATORS = ("configMapGenerator", "secretGenerator")


def check_generated(installation: Installation, tree: Tree) -> None:
    """Refuse patches of Flux that name what is generated with a hash."""
    texts = "\n".join(patch.patch for patch in installation.patches)
    files = sorted({patch.where.file for patch in installation.patches if is_listing(patch.where.file)})
    for name, where in chain.from_iterable(map(_hashed, documents_in(tree, files))):
        if re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", texts):
            raise UnsupportedInstallation(
                f"{name} is generated with a hash in its name, which a patch of Flux follows here and the "
                "FluxInstance could not",
                where=where,
                hint="set `options.disableNameSuffixHash: true` for it, in a commit before the handover",
            )


def _hashed(document: Document) -> Iterator[tuple[str, str]]:
    """The names that get a hash, each with its place."""
    shared = mapping(document.mapping.get("generatorOptions")).get("disableNameSuffixHash") is True
    for field in _GENERATORS:
        for number, entry in enumerate(map(mapping, listed(document.mapping.get(field)))):
            if not shared and mapping(entry.get("options")).get("disableNameSuffixHash") is not True:
                yield str(entry.get("name")), f"{document.path}:{document.line_of(field, number)}"
