"""Encrypted dotenv files: the lines about the encryption are no keys."""

from __future__ import annotations

import pytest
from builders import repo

from flux_handover.model.sealed import without_stanza, without_stanzas

ENCRYPTED = (
    b"A=ENC[x]\n# note\nsops_age__list_0__map_enc=-----BEGIN\nmore lines\n-----END\nsops_version=3.9.0\nB=ENC[y]\n"
)


def test_only_keys_and_comments_stay() -> None:
    assert without_stanza(ENCRYPTED) == b"A=ENC[x]\n# note\nB=ENC[y]\n"


@pytest.mark.parametrize("text", ["A=1\nB=2\n", "sops_mine=1\n", "sops_version: 3\n"])
def test_a_file_that_sops_did_not_write_is_left_alone(text: str) -> None:
    tree = repo("a.env", text)

    assert without_stanzas(tree) == tree


def test_an_encrypted_file_of_a_tree_is_cut() -> None:
    tree = repo("a.env", "").with_file("a.env", ENCRYPTED)

    assert without_stanzas(tree).read("a.env").count(b"\n") == 3
