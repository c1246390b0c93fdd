"""Names that cannot be known offline: those of Secrets generated from encrypted files, with a hash.

kustomize-controller decrypts the files of a secretGenerator before it builds, so the hash in the cluster is
that of the clear text (`fluxcd/kustomize-controller:internal/decryptor/decryptor.go@v1.9.4`). What is rendered
here has the hash of the cipher text: an object of this name does not exist, and one of the same stem does.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable

from flux_handover.objects import Object, ObjectId, mapping

# The letters of kustomize's hashes (`kubernetes-sigs/kustomize:api/hasher/hasher.go@api/v0.21.1`, encode).
_HASH = re.compile(r".+-[2456789bcdfghkmt]{10}")
_CIPHER = b"ENC[AES256_GCM,"


def uncertain_names(objects: Iterable[Object]) -> frozenset[ObjectId]:
    """The Secrets whose name ends in a hash of what is encrypted here and not in the cluster."""
    return frozenset(
        object.id
        for object in objects
        if object.id.kind == "Secret" and _HASH.fullmatch(object.id.name) and _is_of_cipher_text(object)
    )


def _is_of_cipher_text(secret: Object) -> bool:
    return any(_CIPHER in _decoded(value) for value in mapping(secret.data.get("data")).values())


def _decoded(value: object) -> bytes:
    try:
        return base64.b64decode(str(value), validate=True)
    except binascii.Error:
        return b""
