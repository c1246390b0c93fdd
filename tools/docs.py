"""Writes the generated pages: the reference of the command line, codes, JSON schemas, and the runs in README.

`make docs` writes them; tests/test_docs.py fails where one is stale.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from flux_handover.adapters.bundled import prepared
from flux_handover.cli.main import run
from flux_handover.cli.verbs import VERBS
from flux_handover.report.codes import explanations
from flux_handover.report.explanations import Explanation
from flux_handover.report.shapes.commit import CommitReport
from flux_handover.report.shapes.common import schema_of
from flux_handover.report.shapes.doctor import DoctorReport
from flux_handover.report.shapes.explain import ExplainReport
from flux_handover.report.shapes.guard import GuardShape
from flux_handover.report.shapes.inspect import InspectReport
from flux_handover.report.shapes.plan import PlanReport
from flux_handover.report.shapes.rehearse import RehearseReport

ROOT = Path(__file__).parent.parent
REPORTS: Mapping[str, type[msgspec.Struct]] = {
    "inspect": InspectReport,
    "plan": PlanReport,
    "commit": CommitReport,
    "rehearse": RehearseReport,
    "guard": GuardShape,
    "explain": ExplainReport,
    "doctor": DoctorReport,
}
RUN = re.compile(r"(<!-- run: ([a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)
GENERATED = "<!-- made by tools/docs.py; change the code, then run `make docs` -->\n\n"


def pages() -> dict[str, str]:
    """Every generated page by its path."""
    kinds = dict.fromkeys(one.kind for one in explanations())
    return {
        "docs/reference/cli.md": "".join(cli_page()),
        "docs/reference/json.md": "".join(json_page()),
        **{f"docs/reference/schemas/{verb}.json": schema_of(verb, report) for verb, report in REPORTS.items()},
        **{f"docs/reference/{plural(kind)}.md": "".join(codes_page(kind)) for kind in kinds},
        "README.md": readme(),
    }


def plural(kind: str) -> str:
    """The name of a page of codes."""
    return f"{kind}s"


def said(*arguments: str) -> str:
    """What a command line prints."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        run(list(arguments))
    return output.getvalue()


def cli_page() -> Iterator[str]:
    """Every verb with its arguments."""
    yield f"# Command line\n\n{GENERATED}"
    yield block(said("--help"))
    for verb in VERBS:
        yield f"## {verb.name}\n\n{block(said(verb.name, '--help'))}"


def json_page() -> Iterator[str]:
    """Every report that programs read."""
    yield f"# JSON\n\n{GENERATED}"
    yield "Each verb with `--output json` prints one document, also when it exits with 1 or 2. When it could not run,\n"
    yield "the document is `{schema, error: {message, where, hint}}`. Ids are `Kind.group/namespace/name`; the core\n"
    yield "group and cluster scope leave their part empty: `Namespace//x`.\n\n"
    yield "| verb | schema | what it says |\n|---|---|---|\n"
    for verb, report in REPORTS.items():
        yield f"| `{verb}` | [{verb}.json](schemas/{verb}.json) | {(report.__doc__ or '').splitlines()[0]} |\n"


def codes_page(kind: str) -> Iterator[str]:
    """All codes of one kind; each is also what `explain` prints."""
    yield f"# {plural(kind).capitalize()}\n\n{GENERATED}"
    for one in explanations():
        if one.kind == kind:
            yield from code_section(one)


def code_section(one: Explanation) -> Iterator[str]:
    """One code."""
    yield f"## {one.code}\n\n{one.what}\n\n"
    for name, words in (("Why", one.why), ("Do", one.do), ("Example", one.example), *one.facts):
        if words:
            yield f"**{name[0].upper()}{name[1:]}**: {words}\n\n"


def block(text: str) -> str:
    """A block of preformatted text."""
    return f"```text\n{text.strip()}\n```\n\n"


def readme() -> str:
    """README.md with real runs on the bundled repository in it."""
    text = (ROOT / "README.md").read_text()
    with tempfile.TemporaryDirectory() as folder:
        demo = prepared(Path(folder) / "demo")
        return RUN.sub(lambda match: f"{match[1]}\n{block(said(match[2], str(demo)))}{match[3]}", text)


def main() -> None:
    """Write what changed."""
    for path, text in pages().items():
        place = ROOT / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists() or place.read_text() != text:
            place.write_text(text)
            print(f"wrote {path}", file=sys.stderr)


if __name__ == "__main__":
    main()
