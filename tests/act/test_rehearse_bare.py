"""What may be run of a repository on a bare control plane, and what is copied there."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import repo

from flux_handover.act.rehearse_bare import checked_out, refuse_commands
from flux_handover.errors import SandboxError
from flux_handover.tree import File, FileKind, Tree, blob_digest

HELMFILE = "bootstrap/helmfile.yaml"


@pytest.mark.parametrize(
    "text",
    ['{{ exec "sh" (list "-c" "true") }}', '{{- envExec (dict) "sh" }}', '{{ "ref+vault://x" | fetchSecretValue }}'],
)
@pytest.mark.parametrize("path", [HELMFILE, "bootstrap/templates/values.yaml.gotmpl"])
def test_a_template_that_runs_commands_is_refused(path: str, text: str) -> None:
    tree = repo(HELMFILE, "releases: []\n", path, f"values: {text}\n")

    with pytest.raises(SandboxError, match="runs commands") as caught:
        refuse_commands(HELMFILE, tree)

    assert caught.value.where == path


@pytest.mark.parametrize("text", ['{{ readFile "a.yaml" | fromYaml }}', "hooks: [{command: exec}]", "# exec {{ x }}"])
def test_a_template_that_only_reads_is_not(text: str) -> None:
    refuse_commands(HELMFILE, repo(HELMFILE, f"{text}\n"))


def test_the_copy_has_the_files_and_no_link(tmp_path: Path) -> None:
    link = File(b"/etc/passwd", blob_digest(b"/etc/passwd"), FileKind.LINK)
    files = repo("a/b.yaml", "kind: Secret\n")

    folder = checked_out(Tree({**files.files, "a/link": link}), tmp_path / "copy")

    assert [str(path.relative_to(folder)) for path in sorted(folder.rglob("*"))] == ["a", "a/b.yaml"]
    assert (folder / "a/b.yaml").read_text() == "kind: Secret\n"
