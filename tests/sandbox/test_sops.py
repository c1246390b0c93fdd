"""Placeholders that the real sops encrypts and decrypts."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
import yaml
from builders import repo

from flux_handover.adapters.sandbox.binaries.providers import Program
from flux_handover.adapters.sandbox.standins.sops import Disguise, make_age_key, sops_files
from flux_handover.tree import Tree

pytestmark = pytest.mark.sandbox
Obtain = Callable[..., Mapping[str, Program]]
CIPHER = "ENC[AES256_GCM,data:Zm9v,iv:YmFy,tag:YmF6,type:str]"
SECRET = f"""
kind: Secret
metadata:
    name: settings
stringData:
    DOMAIN: {CIPHER}
sops:
    age:
        - recipient: age1x
          enc: |
            -----BEGIN AGE ENCRYPTED FILE-----
            -----END AGE ENCRYPTED FILE-----
    mac: {CIPHER}
    encrypted_regex: ^(data|stringData)$
    version: 3.9.0
"""


class Sops:
    """The programs, a key, and what they can read."""

    def __init__(self, programs: Mapping[str, Program], folder: Path) -> None:
        self._program = programs["sops"].path
        self.key = make_age_key(programs["age-keygen"].path, folder)
        self.disguise = Disguise(self._program, self.key, folder / "work", MappingProxyType({"DOMAIN": "example.org"}))
        self._folder = folder

    def decrypted(self, tree: Tree, path: str) -> str:
        file = self._folder / Path(path).name
        file.write_bytes(tree.read(path))
        environment = {**os.environ, "SOPS_AGE_KEY_FILE": str(self.key.identity)}
        command = (str(self._program), "--decrypt", str(file))
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def sops(obtain: Obtain, tmp_path: Path) -> Sops:
    return Sops(obtain("sops", "age-keygen"), tmp_path)


def test_a_secret_is_encrypted_again_with_placeholders(sops: Sops) -> None:
    disguised = sops.disguise.apply(repo("secret.sops.yaml", SECRET, "plain.yaml", "kind: A\n"))

    assert disguised.replaced == ("secret.sops.yaml",)
    assert b"example.org" not in disguised.tree.read("secret.sops.yaml")
    document = yaml.safe_load(sops.decrypted(disguised.tree, "secret.sops.yaml"))
    assert document == {"kind": "Secret", "metadata": {"name": "settings"}, "stringData": {"DOMAIN": "example.org"}}


def test_only_what_was_encrypted_is_encrypted(sops: Sops) -> None:
    disguised = sops.disguise.apply(repo("secret.sops.yaml", SECRET))

    written = yaml.safe_load(disguised.tree.read("secret.sops.yaml"))
    assert written["metadata"] == {"name": "settings"}
    assert written["stringData"]["DOMAIN"].startswith("ENC[")
    assert [entry["recipient"] for entry in written["sops"]["age"]] == [sops.key.recipient]


def test_every_document_of_a_file_is_replaced(sops: Sops) -> None:
    disguised = sops.disguise.apply(repo("two.yaml", f"{SECRET}---\n{SECRET.replace('settings', 'more')}"))

    documents = list(yaml.safe_load_all(sops.decrypted(disguised.tree, "two.yaml")))
    assert [document["metadata"]["name"] for document in documents] == ["settings", "more"]


def test_a_stanza_need_not_be_well_formed(sops: Sops) -> None:
    broken = SECRET.replace("            -----END", "    -----END")

    assert sops.disguise.apply(repo("secret.yaml", broken)).replaced == ("secret.yaml",)


def test_all_else_in_the_tree_stays(sops: Sops) -> None:
    tree = repo("secret.sops.yaml", SECRET, "plain.yaml", "kind: A\n")

    disguised = sops.disguise.apply(tree).tree

    assert disguised.read("plain.yaml") == tree.read("plain.yaml")
    assert list(disguised) == list(tree)


def test_an_equal_file_stays_equal_from_commit_to_commit(sops: Sops) -> None:
    one = sops.disguise.apply(repo("secret.sops.yaml", SECRET)).tree
    two = sops.disguise.apply(repo("secret.sops.yaml", SECRET, "more.yaml", "kind: B\n")).tree

    assert one.read("secret.sops.yaml") == two.read("secret.sops.yaml")


def test_dotenv_files_are_encrypted_again(sops: Sops) -> None:
    disguised = sops.disguise.apply(repo("app.env", f"DOMAIN={CIPHER}\nsops_mac=x\n"))

    assert sops.decrypted(disguised.tree, "app.env").strip() == "DOMAIN=example.org"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("page.html", f"<b>{CIPHER}</b>"),
        ("note.yaml", f"kind: Note\ntext: '{CIPHER}'\n"),
        ("broken.yaml", f"a: [{CIPHER}\n"),
        ("half.yaml", f"kind: A\n---\n{SECRET}"),
    ],
)
def test_what_is_no_file_of_sops_is_named_and_left(sops: Sops, path: str, text: str) -> None:
    tree = repo(path, text)

    disguised = sops.disguise.apply(tree)

    assert disguised.untouched == (path,)
    assert disguised.tree.read(path) == tree.read(path)


def test_files_are_found_by_what_they_hold() -> None:
    assert sops_files(repo("a.yaml", SECRET, "b.sops.yaml", "kind: A\n")) == ("a.yaml",)


def test_the_private_key_is_ours_alone_and_in_the_secret_that_flux_reads(sops: Sops) -> None:
    secret = sops.key.secret("sops-age", "flux-system")

    assert sops.key.identity.stat().st_mode & 0o077 == 0
    assert secret["metadata"] == {"name": "sops-age", "namespace": "flux-system"}
    assert all(name.endswith(".agekey") for name in secret["stringData"])
