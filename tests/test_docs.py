"""Documentation is a test: every verb, code and error has its page, and what is generated is fresh."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from flux_handover.cli.verbs import VERBS
from flux_handover.report.codes import explanations

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])
WORKFLOWS = sorted((ROOT / ".github").rglob("*.y*ml"))


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def generated() -> dict[str, str]:
    pages: dict[str, str] = load(ROOT / "tools" / "docs.py").pages()
    return pages


def test_generated_pages_are_fresh(generated: dict[str, str]) -> None:
    stale = [
        path for path, text in generated.items() if not (ROOT / path).is_file() or (ROOT / path).read_text() != text
    ]

    assert stale == [], "run `make docs`"


def test_no_generated_page_is_left_over(generated: dict[str, str]) -> None:
    marked = {str(page.relative_to(ROOT)) for page in PAGES if "<!-- made by tools/docs.py" in page.read_text()}
    schemas = {str(path.relative_to(ROOT)) for path in (DOCS / "reference" / "schemas").glob("*")}

    assert (marked | schemas) - set(generated) == set()


def test_every_verb_has_its_section(generated: dict[str, str]) -> None:
    assert [verb.name for verb in VERBS if f"\n## {verb.name}\n" not in generated["docs/reference/cli.md"]] == []


def test_every_code_has_its_section(generated: dict[str, str]) -> None:
    sections = "".join(generated.values())

    assert [one.code for one in explanations() if f"## {one.code}\n" not in sections] == []


def test_verbs_that_pages_mention_exist() -> None:
    known = {verb.name for verb in VERBS}
    mentioned = {
        (page.name, verb)
        for page in PAGES
        if "adr" not in page.parts
        for verb in re.findall(r"^    (?:\$ )?flux-handover ([a-z]+)", page.read_text(), re.MULTILINE)
    }

    assert {pair for pair in mentioned if pair[1] not in known} == set()


def test_options_that_pages_mention_exist(generated: dict[str, str]) -> None:
    reference = generated["docs/reference/cli.md"]
    options = {
        (page.name, option)
        for page in PAGES
        if "adr" not in page.parts
        for line in re.findall(r"^    (?:\$ )?flux-handover (.*)", page.read_text(), re.MULTILINE)
        for option in re.findall(r"--[a-z-]+", line)
    }

    assert {pair for pair in options if pair[1] not in reference} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    local = [link for link in links if "://" not in link and not link.startswith("mailto:")]

    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_name_no_place_of_one_machine(page: Path) -> None:
    assert re.findall(r"(?<![\w.])/(?:home|root|Users)/\w+", page.read_text()) == []


def test_the_first_page_leads_to_every_other() -> None:
    index = (DOCS / "index.md").read_text()
    pages = [str(page.relative_to(DOCS)) for page in sorted(DOCS.rglob("*.md")) if page.parent.name != "adr"]

    assert [page for page in pages if f"]({page})" not in index and page != "index.md"] == []


def test_contributing_is_one_page() -> None:
    assert len((ROOT / "CONTRIBUTING.md").read_text().splitlines()) <= 60


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_digest(workflow: Path) -> None:
    text = workflow.read_text()

    yaml.safe_load(text)
    used = re.findall(r"uses: ([^\s#]+)", text)
    assert [one for one in used if not one.startswith("./") and not re.search(r"@[0-9a-f]{40}$", one)] == []


def test_the_commands_of_the_makefile_are_explained() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.findall(r"^\.PHONY: (\S+)", makefile, re.MULTILINE)

    assert [target for target in phony if not re.search(rf"^{target}:.*## ", makefile, re.MULTILINE)] == []
