"""The hazards in the words that `explain`, SARIF and the reference page share: the docstrings of their checks."""

from __future__ import annotations

from flux_handover.proof.hazards import Hazard, hazards
from flux_handover.report.explanations import Explanation

GRADES = {
    "S0": "S0, destroys workloads or data",
    "S1": "S1, destroys or disables Flux itself",
    "S2": "S2, freezes reconciliation",
    "S3": "S3, wrong or degraded configuration",
    "S4": "S4, hygiene",
}
DECIDED = {
    "tree": "one revision",
    "pair": "two revisions",
    "series": "what every order of the controllers can reach between revisions",
    "live": "a look at the cluster; no check of files can",
}


def _explanation(hazard: Hazard) -> Explanation:
    facts = (
        ("severity", hazard.severity.value),
        ("class", GRADES[hazard.grade]),
        ("decided by", DECIDED[hazard.decided.value]),
    )
    what = f"{hazard.title[0].upper()}{hazard.title[1:]}: {hazard.what[0].lower()}{hazard.what[1:]}"
    return Explanation(hazard.code, "hazard", what, hazard.why, hazard.do, hazard.example, facts)


HAZARDS = tuple(_explanation(hazard) for hazard in hazards())
WAIVER = Explanation(
    "waiver",
    "waiver",
    "A waiver in .flux-handover.toml that is over, or that matches nothing.",
    "It would accept the next thing of that name unseen.",
    "Remove it, or give it a new date.",
)
UNDECIDED = Explanation(
    "unknown",
    "waiver",
    "Something that could not be decided from what is here.",
    "Unknown is not safe: what was not built may delete anything that it applied.",
    "Allow the network for remote bases, or accept it by a waiver with code `unknown`.",
)
