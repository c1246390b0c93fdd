"""What each obligation and each phase means, in the words that `explain` and the reference pages share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from flux_handover.plan.phases import PhaseName
from flux_handover.proof.obligations import Obligation


@dataclass(frozen=True, slots=True)
class Explanation:
    """One code: what it says, why it matters, what to do; `example` is a path or a sentence, or empty."""

    code: str
    kind: str
    what: str
    why: str
    do: str
    example: str = ""
    facts: tuple[tuple[str, str], ...] = ()


def _obligation(obligation: Obligation, what: str, why: str, do: str) -> tuple[Obligation, Explanation]:
    return obligation, Explanation(obligation.value, "obligation", what, why, do)


OBLIGATIONS: Mapping[Obligation, Explanation] = MappingProxyType(
    dict(
        (
            _obligation(
                Obligation.BUILDS,
                "Every live Kustomization that built before the phase builds after it.",
                "A Kustomization that does not build is frozen: it neither applies nor prunes, and what waits "
                "for it waits.",
                "Read the error, which is the engine's with file and line; a build that needs the network is decided "
                "with --allow-network, or holds without it where none of its inputs changed.",
            ),
            _obligation(
                Obligation.NOTHING_LOST,
                "Every deletion that any order of the controllers can reach is one that the phase declares.",
                "Flux deletes what is in an inventory and no longer in a build. Which inventory is compared with which "
                "build depends on the order in which parents, children and sources arrive.",
                "Follow the numbered trace to the first step that surprises you; protect the object before that step, "
                "in a phase of its own that is seen live first.",
            ),
            _obligation(
                Obligation.SINGLE_OWNER,
                "After the phase no object is applied by two active owners, unless one of them skips it.",
                "Two owners overwrite each other at every interval, and whichever is deleted last takes the "
                "object along.",
                "Remove the object from one of them, or let one of them skip it by "
                "`kustomize.toolkit.fluxcd.io/ssa: Ignore`.",
            ),
            _obligation(
                Obligation.SETTINGS_KEPT,
                "Every setting of Flux that was effective before is effective after: arguments, limits, gates, "
                "schedules, volumes, labels, and the fields of source and root.",
                "Most real moves lose a setting without an error; it shows weeks later, under load.",
                "Each lost setting is named with file and line; carry it as a patch in "
                "FluxInstance.spec.kustomize.patches.",
            ),
            _obligation(
                Obligation.CONTENT_KEPT,
                "Every other rendered object is the same, but for the fields that the phase's own operations write.",
                "A handover moves Flux, and nothing that Flux applies.",
                "Take the unrelated change into a commit of its own, before or after the handover.",
            ),
            _obligation(
                Obligation.REFERENCES_RESOLVE,
                "Everything that names an object, a file or a path names one that is there after the phase.",
                "A Kustomization without its source stands still; a receiver or a CI job that names what is gone does "
                "nothing, silently.",
                "Edit what names it in the phase that removes it.",
            ),
            _obligation(
                Obligation.NO_DEADLOCK,
                "No Kustomization waits for something that only it, or what waits for it, creates.",
                "Variables, secrets, dependsOn and readiness form circles that no later push can open.",
                "Break the circle: drop the reference, make it optional, or create the object at bootstrap.",
            ),
            _obligation(
                Obligation.RECOVERABLE,
                "From every state that the phase can reach, some push makes all roots ready again.",
                "A state that only kubectl can repair is found by the person who is on call, not by the one who "
                "merged.",
                "Split the phase at the step after which no push helps, and see its gate first.",
            ),
            _obligation(
                Obligation.VERSIONS_STEADY,
                "The phase changes neither the version of Flux nor, later on, makes one drift without a commit.",
                "A handover and an upgrade in one step cannot be told apart when something breaks.",
                "Pin the exact running version; upgrade in a phase of its own.",
            ),
            _obligation(
                Obligation.SCHEMA_VALID,
                "What the phase writes is valid for the CRDs and chart values of the versions that run then, the "
                "contents of patches included.",
                "Server-side apply refuses an unknown field, and then the whole stage is not applied.",
                "Correct the field, or name the version of the operator that knows it.",
            ),
            _obligation(
                Obligation.BOOTSTRAP_COMPLETE,
                "Some step of the bootstrap creates every key, secret, variable, source and root that an empty "
                "cluster needs.",
                "A bootstrap is run on the worst day, and then it must work.",
                "Add the step that is named, in the order that is shown.",
            ),
            _obligation(
                Obligation.WAY_BACK,
                "The live steps and commits that undo the phase owe the same obligations, and meet them.",
                "After adoption a revert is no way back: Flux skips what the operator has taken over.",
                "Follow the steps in order, and see what each must say before the next.",
            ),
        )
    )
)


def _phase(name: PhaseName, what: str, why: str, do: str) -> tuple[PhaseName, Explanation]:
    return name, Explanation(name.value, "phase", what, why, do)


PHASES: Mapping[PhaseName, Explanation] = MappingProxyType(
    dict(
        (
            _phase(
                PhaseName.PREFLIGHT,
                "What must be true of the cluster before anything is pushed; it makes no commit.",
                "The plan is made from Git alone. What Git cannot say is taken as true, and seen here.",
                "Run the commands of its gates; they only read. Go on when each says what it must.",
            ),
            _phase(
                PhaseName.STATE,
                "Terraform forgets the Flux that it installed, and destroys nothing; only where it installed Flux.",
                "A destroy deletes by label, and the objects of the operator carry that label too.",
                "Apply it, then see a state list without Flux and a plan that does not touch it.",
            ),
            _phase(
                PhaseName.PROTECT,
                "Flux is kept from pruning what is about to leave it.",
                "A Kustomization that is removed deletes its inventory, and that inventory is Flux.",
                "Push it alone, and see prune false on the live object before the next phase.",
            ),
            _phase(
                PhaseName.OPERATOR,
                "The Flux Operator is installed beside the running Flux, without a FluxInstance.",
                "Without an instance it does nothing, so it can be looked at.",
                "Push it alone, and see its HelmRelease ready.",
            ),
            _phase(
                PhaseName.INSTANCE,
                "A FluxInstance of the running version, components and settings takes Flux over in place.",
                "The operator applies the same objects, marks them as its own, and tells the old owner to skip them.",
                "Expect each controller to restart once. See every component marked before the next phase.",
            ),
            _phase(
                PhaseName.BOOTSTRAP,
                "What installs Flux on an empty cluster installs the operator and the instance.",
                "From now on the cluster can be rebuilt without what is about to go.",
                "Run it on an empty cluster once, if you have one.",
            ),
            _phase(
                PhaseName.RETIRE,
                "The old installation leaves Git, and with it the objects that the plan declares, no others.",
                "It is the only phase that deletes.",
                "Push it only after the gate of the instance was seen; the way back is longer from here on.",
            ),
            _phase(
                PhaseName.SUSPEND,
                "The old root is suspended in its own file, where a new one of another name is to take its place.",
                "Two roots that reconcile take every object from each other; a suspended one deletes nothing.",
                "Push it alone, see the live object suspended, and push nothing else before the next phase.",
            ),
            _phase(
                PhaseName.TRANSFER,
                "The FluxInstance gets a `sync`: the operator makes a source and a root with every field of the old.",
                "The new root labels everything as its own. It does not prune yet, so it can be taken back.",
                "See every object labelled by the new root, the suspended old root among them.",
            ),
            _phase(
                PhaseName.SETTLE,
                "The new root prunes as the old one did.",
                "It has everything, and nothing leaves its build, so nothing is deleted by it.",
                "See prune true on the live new root.",
            ),
            _phase(
                PhaseName.FOLLOW,
                "Everything that names the old source or root names the new one.",
                "Both are there and ready, so the order in which names arrive does not matter.",
                "See that nothing but the old root names the old source.",
            ),
            _phase(
                PhaseName.SYNC,
                "The source and the root leave Git, where the FluxInstance makes them from its `sync`.",
                "The operator has both, with every field that they had; old files have no effect any more.",
                "Push it only after both were seen to belong to the operator. After a transfer the old root and "
                "its source are deleted, else nothing.",
            ),
            _phase(
                PhaseName.REFERENCES,
                "CI, Renovate, task runners and documentation follow.",
                "What names the old place does nothing any more, silently.",
                "Read the files that are listed and not edited.",
            ),
            _phase(
                PhaseName.UPGRADE,
                "Flux goes to a newer version, minor by minor. No plan has this phase yet.",
                "An upgrade is a change of its own, with hazards of its own, so it never comes with the handover.",
                "Until then by hand: raise `distribution.version` by one minor, judge the commit with `guard`, and see "
                "the FluxInstance Ready before the next.",
            ),
        )
    )
)
