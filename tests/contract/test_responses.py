"""The client and the real engine, on the cases that the Go tests read too (engine/testdata)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flux_handover.adapters import engine_protocol as protocol
from flux_handover.adapters.engine import Engine
from flux_handover.errors import EngineError
from flux_handover.model.building import BuildRequest, SubstitutionRequest
from flux_handover.objects import Object, ObjectId, id_of
from flux_handover.tree import File, FileKind, Tree, blob_digest

TESTDATA = Path(__file__).parents[2] / "engine" / "testdata"
# The client has no way to ask for these: they are about requests that it never makes.
ENGINE_ONLY = frozenset({"tree-invalid-path", "tree-file-and-directory", "too-many-objects", "not-an-object"})


def cases(method: str) -> list[Path]:
    found = sorted(path.parent for path in (TESTDATA / method).glob("*/request.json"))
    assert found, f"no cases of {method}"
    return [case for case in found if case.name not in ENGINE_ONLY]


def read(case: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((case / name).read_text())
    return content


def tree_of(case: Path, described: dict[str, Any]) -> Tree:
    folder = case / described["folder"]
    files = {
        path.relative_to(folder).as_posix(): File(path.read_bytes(), blob_digest(path.read_bytes()))
        for path in folder.rglob("*")
        if path.is_file()
    }
    links = {path: File(target.encode(), "", FileKind.LINK) for path, target in described.get("links", {}).items()}
    omitted = {path: File(None, "", omitted=reason) for path, reason in described.get("omitted", {}).items()}
    return Tree({**files, **links, **omitted})


@pytest.mark.parametrize("case", cases("build"), ids=lambda case: str(case.name))
def test_builds_are_what_the_case_expects(engine: Engine, case: Path) -> None:
    request = read(case, "request.json")
    builds = [BuildRequest(b["key"], b["kustomization"], b.get("path")) for b in request["builds"]]

    results = engine.build(tree_of(case, request["tree"]), builds)

    assert results == protocol.build_results((case / "response.json").read_bytes())


@pytest.mark.parametrize("case", cases("kustomize"), ids=lambda case: str(case.name))
def test_directories_are_what_the_case_expects(engine: Engine, case: Path) -> None:
    request = read(case, "request.json")

    result = engine.kustomize(tree_of(case, request["tree"]), request["path"])

    assert result == protocol.kustomize_result((case / "response.json").read_bytes())


@pytest.mark.parametrize("case", cases("substitute"), ids=lambda case: str(case.name))
def test_substitutions_are_what_the_case_expects(engine: Engine, case: Path) -> None:
    sets = [set_of(described) for described in read(case, "request.json")["sets"]]

    results = engine.substitute(sets)

    assert results == protocol.substitution_results((case / "response.json").read_bytes(), sets)


def set_of(described: dict[str, Any]) -> SubstitutionRequest:
    return SubstitutionRequest(
        key=described["key"],
        objects=[Object(id_of(data), data) for data in described["objects"]],
        variables=described.get("variables", {}),
        symbolic=described.get("symbolic", {}),
        open=described.get("open", False),
        strict=described.get("strict", False),
        always=described.get("always", False),
        common_metadata=described.get("commonMetadata", {}),
    )


def test_the_engine_says_its_version(engine: Engine) -> None:
    said = read(TESTDATA / "hello" / "hello", "response.json")

    assert (engine.version.kustomize, engine.version.flux_kustomize) == (said["kustomize"], said["fluxKustomize"])


def test_nothing_asked_is_nothing_answered(engine: Engine) -> None:
    assert engine.build(Tree(), []) == ()
    assert engine.substitute([]) == ()


def test_a_tree_with_an_impossible_path_is_refused(engine: Engine) -> None:
    outside = Tree({"../x": File(b"", "")})

    with pytest.raises(EngineError, match="not the path of a file"):
        engine.build(outside, [BuildRequest("x", {"spec": {}})])


def test_a_failed_substitution_names_the_object_and_not_its_content(engine: Engine) -> None:
    data = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "seed"}, "stringData": {"x": "s3cret ${"}}

    (result,) = engine.substitute([SubstitutionRequest("x", [Object(id_of(data), data)], {"a": "b"})])

    assert result.error is not None
    assert result.error.object == ObjectId("", "Secret", "", "seed")
    assert "s3cret" not in repr(result.error)


def test_every_file_content_arrives_unchanged(engine: Engine) -> None:
    config = b"configMapGenerator:\n- name: x\n  files: [text, bytes]\n  options: {disableNameSuffixHash: true}\n"
    tree = Tree(
        {
            path: File(content, blob_digest(content))
            for path, content in {
                "kustomization.yaml": config,
                "text": "ä\r\n\u2028".encode(),
                "bytes": b"\xff\x00\xfe",
            }.items()
        }
    )

    result = engine.kustomize(tree, ".")

    assert result.error is None
    assert result.objects[0].data["data"] == {"text": "ä\r\n\u2028"}
    assert result.objects[0].data["binaryData"] == {"bytes": "/wD+"}


def test_what_is_said_of_an_object_that_is_dropped_is_said_of_no_other(engine: Engine) -> None:
    """The first object's name becomes empty, so the controller drops it; its variable is not the second's."""
    dropped = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "${absent}"}, "data": {"a": "${token}"}}
    kept = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"}, "data": {"a": "${size}"}}
    objects = [Object(id_of(data), data) for data in (dropped, kept)]

    (result,) = engine.substitute([SubstitutionRequest("x", objects, {"size": "1"}, {"token": "x0unknown0x"})])

    assert [object.id.name for object in result.objects] == ["kept"]
    assert (result.undefined, dict(result.symbols)) == ((), {})
