"""The verbs, and the page that lists them; imported first, so it imports nothing that takes time."""

from __future__ import annotations

from typing import NamedTuple


class Verb(NamedTuple):
    """One verb: its line of help, and the function behind it, imported when it is called."""

    name: str
    summary: str
    place: str


VERBS = (
    Verb("inspect", "show how Flux is installed, and what would be carried over", "flux_handover.cli.inspect:inspect"),
    Verb("plan", "show the phases, and the proof of each; writes nothing", "flux_handover.cli.plan:plan"),
    Verb("commit", "write the next phase as one Git commit; does not push", "flux_handover.cli.commit:commit"),
    Verb("rehearse", "play the plan on a disposable control plane", "flux_handover.cli.rehearse:rehearse"),
    Verb("sandbox", "start or end a control plane without nodes", "flux_handover.cli.sandbox:sandbox"),
    Verb("guard", "compare two revisions, and refuse what would delete or break", "flux_handover.cli.guard:guard"),
    Verb("explain", "describe a hazard, an edge, an obligation or a phase", "flux_handover.cli.explain:explain"),
    Verb("doctor", "say what this machine and a repository lack", "flux_handover.cli.doctor:doctor"),
    Verb("demo", "run all of it on a bundled repository", "flux_handover.cli.demo:demo"),
    Verb("completion", "print the completion script of a shell", "flux_handover.cli.completion:completion"),
)

TITLE = "Move a GitOps repository from a hand-installed Flux to the Flux Operator."


def overview() -> str:
    """The page of `flux-handover --help`."""
    lines = "\n".join(f"  {verb.name:<11}{verb.summary}" for verb in VERBS)
    return f"""{TITLE}

usage: flux-handover VERB [arguments]

{lines}

  --help     show this page, or with a verb its arguments
  --version  show the version

Exit status: 0 done and safe; 1 an error or a refuted proof; 2 could not decide, or could not run.
"""
