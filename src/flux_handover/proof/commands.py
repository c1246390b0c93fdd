"""The commands of a way back, read as what they do in the model: what is proved is what is printed."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from flux_handover.objects import OPERATOR_RECONCILE, OWNER_NAME, PRUNE, SSA, Object, ObjectId, mapping
from flux_handover.plan.phases import LiveStep
from flux_handover.proof.reconcile_cluster import Action, Annotate, Push, Remove, Resume, UnmarkAll, UserStep
from flux_handover.proof.reconcile_kustomization import is_healthy
from flux_handover.proof.world import KustomizationSpec, Mark, World, is_instance, is_suspended

KEYS: Mapping[str, frozenset[Mark]] = {
    f"{OPERATOR_RECONCILE}=disabled": frozenset({Mark.OPERATOR_RECONCILE_DISABLED}),
    f"{SSA}-": frozenset({Mark.SSA_IGNORE, Mark.SSA_IF_NOT_PRESENT}),
    f"{PRUNE}-": frozenset({Mark.PRUNE_DISABLED}),
}
_ALIASES = {"crds": "customresourcedefinitions"}
_VALUED = {"-n", "--namespace", "-l", "--selector", "-o", "-L", "--type", "--patch", "--field-manager"}

Seen = Callable[[World], bool]
Check = Callable[[World, ObjectId], bool]


@dataclass(frozen=True, slots=True)
class Scenery:
    """What commands can mean: the ids that exist, objects with labels, who owned before, and where a revert leads."""

    ids: frozenset[ObjectId]
    labelled: tuple[Object, ...]
    owner: ObjectId | None
    revert: Push


@dataclass(frozen=True, slots=True)
class Program:
    """The steps that were understood, the commands that were not, and what must be seen in the end."""

    steps: tuple[UserStep, ...]
    unknown: tuple[str, ...] = ()
    last: tuple[Seen, ...] = ()


@dataclass(slots=True)
class _Waits:
    about: set[ObjectId] = field(default_factory=set)
    seen: list[Seen] = field(default_factory=list)

    def taken_by(self, actions: Iterable[Action]) -> Iterator[UserStep]:
        """The actions, the first of them after everything that is waited for."""
        for action in actions:
            seen = tuple(self.seen)
            check = (lambda world, seen=seen: all(one(world) for one in seen)) if seen else None
            yield UserStep(action, frozenset(self.about), check)
            self.about, self.seen = set(), []


def program_of(steps: Iterable[LiveStep], scenery: Scenery) -> Program:
    """The steps of a way back as a program; a step without a command is a hint to a reader."""
    done: list[UserStep] = []
    unknown: list[str] = []
    waits = _Waits()
    for step in steps:
        words = shlex.split(step.command)
        if words[:1] == ["kubectl"] and {"get", "wait"} & set(words):
            _wait(step, _read(words[1:]), scenery, waits, unknown)
        elif words:
            actions = _actions(words, scenery)
            if actions is None:
                unknown.append(step.text)
            done.extend(waits.taken_by(actions or ()))
    return Program(tuple(done), tuple(unknown), tuple(waits.seen))


@dataclass(frozen=True, slots=True)
class _Command:
    verb: str
    operands: tuple[str, ...]
    options: Mapping[str, str]


def _read(words: list[str]) -> _Command:
    """A kubectl command line: its verb, what it is about, and the options with their values."""
    operands: list[str] = []
    options: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if word in _VALUED:
            options[word] = next(rest, "")
        elif word.startswith("-"):
            options[name] = value if equals else ""
        else:
            operands.append(word)
    named = [part for word in operands[1:] for part in (word.split("/", 1) if _is_named(word) else (word,))]
    return _Command(operands[0] if operands else "", tuple(named), options)


def _is_named(word: str) -> bool:
    """Whether a word is a kind and a name in one, and not the key of a label."""
    return "/" in word and not word.endswith("-") and "=" not in word


def _actions(words: list[str], scenery: Scenery) -> tuple[Action, ...] | None:
    """What a command does in the cluster; what Terraform remembers is no object of it."""
    if words[:2] == ["git", "revert"]:
        return (scenery.revert,)
    if words[:2] == ["terraform", "import"]:
        return ()
    command = _read(words[1:]) if words[0] == "kubectl" else _Command("", (), {})
    reader = _VERBS.get(command.verb)
    return reader(command, scenery) if reader else None


def _deleted(command: _Command, scenery: Scenery) -> tuple[Action, ...] | None:
    """What Helm stored about a release is no object of the model; it goes with the release."""
    if command.operands == ("secrets",):
        return () if "owner=helm" in command.options.get("-l", "") else None
    return tuple(Remove(id) for id in sorted(_meant(command, scenery)))


_RESUMED = [{"op": "remove", "path": "/spec/suspend"}]


def _patched(command: _Command, scenery: Scenery) -> tuple[Action, ...] | None:
    patch, ids = json.loads(command.options.get("--patch", "{}")), sorted(_meant(command, scenery))
    if command.options.get("--type") == "json":
        return tuple(map(Resume, ids)) if patch == _RESUMED else None
    if mapping(mapping(patch).get("spec")).get("suspend") is not True:
        return None
    writer = command.options.get("--field-manager", "kubectl-patch")
    return tuple(Annotate(id, frozenset({Mark.SUSPENDED}), writer) for id in ids)


def _annotated(command: _Command, scenery: Scenery) -> tuple[Action, ...] | None:
    keys = [word for word in command.operands if word in KEYS]
    marks = frozenset().union(*(KEYS[key] for key in keys))
    ids = _meant(command, scenery)
    if not keys:
        return None
    if keys[0].endswith("-"):
        return (UnmarkAll(ids, marks),) if ids else ()
    writer = command.options.get("--field-manager", "kubectl-annotate")
    return tuple(Annotate(id, marks, writer) for id in sorted(ids))


_VERBS: Mapping[str, Callable[[_Command, Scenery], tuple[Action, ...] | None]] = {
    "delete": _deleted,
    "patch": _patched,
    "annotate": _annotated,
}


def _meant(command: _Command, scenery: Scenery) -> frozenset[ObjectId]:
    """The objects that a command is about: by name, or by label."""
    kinds = command.operands[0].split(",") if command.operands else []
    selector = command.options.get("-l", "")
    if selector:
        key, _, value = selector.partition("=")
        ids = frozenset(object.id for object in scenery.labelled if object.labels.get(key) == value)
    else:
        name = command.operands[1] if len(command.operands) > 1 else ""
        ids = frozenset(id for id in scenery.ids if id.name == name)
    namespace = command.options.get("-n", "")
    return frozenset(
        id for id in ids if _is_of(id, kinds) and (id.namespace == namespace or not id.namespace or not namespace)
    )


def _is_of(id: ObjectId, kinds: Iterable[str]) -> bool:
    plural = _plural(id.kind.lower())
    for kind in kinds:
        name, _, group = _ALIASES.get(kind, kind).partition(".")
        if name == plural and group in ("", id.group):
            return True
    return False


def _plural(kind: str) -> str:
    if kind.endswith(("s", "x", "ch")):
        return f"{kind}es"
    return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"


def _wait(step: LiveStep, command: _Command, scenery: Scenery, waits: _Waits, unknown: list[str]) -> None:
    """What must be seen before the next action; what cannot be read is not waited for, and said."""
    ids = _meant(command, scenery)
    if step.expect == "no output":
        ids |= frozenset(id for id in scenery.ids if _is_of(id, command.operands[:1]) and not command.operands[1:])
        waits.seen.append(lambda world: not any(id in world.live for id in ids))
    else:
        check = _check(step, command, scenery) if ids else None
        if check is None:
            unknown.append(step.text)
            return
        waits.seen.append(lambda world: all(check(world, id) for id in ids))
    waits.about |= ids


def _check(step: LiveStep, command: _Command, scenery: Scenery) -> Check | None:
    """What each object that a command shows must be like; None where that is not understood."""
    output = command.options.get("-o", "") + command.options.get("-L", "")
    if OPERATOR_RECONCILE in step.expect:
        return _is_paused
    if OWNER_NAME in output:
        return lambda world, id: id in world.live and world.live[id].owner == scenery.owner
    if command.options.get("--for") == "condition=Ready":
        return is_healthy
    return {("{.spec.prune}", "false"): _prunes_not, ("{.spec.suspend}", "true"): _is_suspended}.get(
        (output.removeprefix("jsonpath="), step.expect)
    )


def _is_paused(world: World, id: ObjectId) -> bool:
    live = world.live.get(id)
    return live is None or Mark.OPERATOR_RECONCILE_DISABLED in live.opt_outs


def _prunes_not(world: World, id: ObjectId) -> bool:
    live = world.live.get(id)
    return live is not None and isinstance(live.spec, KustomizationSpec) and not live.spec.prune


def _is_suspended(world: World, id: ObjectId) -> bool:
    return id in world.live and is_suspended(world.live[id])


def instances(world: World) -> frozenset[ObjectId]:
    """The FluxInstances of a world."""
    return frozenset(id for id in world.live if is_instance(id))
