"""Small worlds made from a seed: a few Kustomizations and objects, changed by one or two random commits.

Each commit does what people do to a repository: move, copy, remove and mark objects, rename and remove
Kustomizations, turn prune off, suspend, break a build. The same seed gives the same world for ever.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sandbox.worlds import Manifest, Parts, World, Writer, marked, text, world

POLICIES = ("Orphan", "Delete", "WaitForTermination", "MirrorPrune")
MARKS: tuple[Mapping[str, str], ...] = (
    {"prune": "disabled"},
    {"reconcile": "disabled"},
    {"ssa": "Ignore"},
    {"ssa": "IfNotPresent"},
    {"ssa": "Merge"},
    {},
)
TRIES = 20


@dataclass(frozen=True, slots=True)
class Thing:
    """A ConfigMap, in the world's namespace or in one of its own making."""

    name: str
    marks: Mapping[str, str] = field(default_factory=dict)
    edition: int = 0
    space: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A Kustomization with the directory that it builds; `above` names the one that applies it."""

    name: str
    path: str
    things: tuple[Thing, ...]
    spec: Mapping[str, Any] = field(default_factory=dict)
    above: str = "flux"
    is_broken: bool = False


Place = tuple[Part, ...]
Change = Callable[[random.Random, Place], Place | None]


def first(random: random.Random) -> Place:
    """Two or three Kustomizations that build, one of them perhaps below another or after it."""
    names = ["one", "two", "three"][: random.choice((2, 2, 2, 3))]
    parts: list[Part] = []
    for name in names:
        things = tuple(Thing(f"{name}-{n}", random.choice(({}, {}, {"prune": "disabled"}))) for n in range(2))
        spec: dict[str, Any] = {} if random.random() < 0.8 else {"prune": False}
        if random.random() < 0.2:
            spec["deletionPolicy"] = random.choice(POLICIES)
        above = random.choice(("flux", "flux", "flux", parts[0].path)) if parts else "flux"
        if parts and above == "flux" and random.random() < 0.2:
            spec["dependsOn"] = [{"name": parts[-1].name}]
        parts.append(Part(name, name, things, spec, above))
    if random.random() < 0.25:
        parts[0] = replace(parts[0], things=(*parts[0].things, Thing("inside", space="shop")))
    return tuple(parts)


def one_of(random: random.Random, place: Place, is_chosen: Callable[[Part], object]) -> Part | None:
    """Some Kustomization of those that qualify."""
    found = [part for part in place if is_chosen(part)]
    return random.choice(found) if found else None


def with_part(place: Place, old: Part, *new: Part) -> Place:
    """The place with other Kustomizations instead of one."""
    at = place.index(old)
    return (*place[:at], *new, *place[at + 1 :])


def remove_object(random: random.Random, place: Place) -> Place | None:
    """An object leaves."""
    part = one_of(random, place, lambda part: len(part.things) > 1)
    if part is None:
        return None
    gone = random.choice(part.things)
    return with_part(place, part, replace(part, things=tuple(thing for thing in part.things if thing != gone)))


def add_object(random: random.Random, place: Place) -> Place | None:
    """An object comes."""
    part = random.choice(place)
    new = Thing(f"new-{random.randrange(1000)}")
    return with_part(place, part, replace(part, things=(*part.things, new)))


def move_object(random: random.Random, place: Place) -> Place | None:
    """An object goes from one Kustomization to another."""
    part = one_of(random, place, lambda part: len(part.things) > 1)
    other = one_of(random, place, lambda other: other is not part)
    if part is None or other is None:
        return None
    moved = part.things[0]
    rest = with_part(place, part, replace(part, things=part.things[1:]))
    return with_part(rest, other, replace(other, things=(*other.things, moved)))


def mark_object(random: random.Random, place: Place) -> Place | None:
    """An object gets, or loses, an annotation that a controller heeds."""
    part = one_of(random, place, lambda part: part.things)
    if part is None:
        return None
    new = replace(part.things[0], marks=random.choice(MARKS))
    return with_part(place, part, replace(part, things=(new, *part.things[1:])))


def edit_object(random: random.Random, place: Place) -> Place | None:
    """An object changes."""
    part = one_of(random, place, lambda part: part.things)
    if part is None:
        return None
    new = replace(part.things[0], edition=part.things[0].edition + 1)
    return with_part(place, part, replace(part, things=(new, *part.things[1:])))


def remove_part(random: random.Random, place: Place) -> Place | None:
    """A Kustomization leaves; its directory stays. What was below it is nobody's then."""
    part = random.choice(place)
    rest = tuple(other for other in place if other is not part and other.above != part.path)
    return rest if rest and not any(names(other, part) for other in rest) else None


def rename_part(random: random.Random, place: Place) -> Place | None:
    """A Kustomization gets another name."""
    part = one_of(random, place, lambda part: not any(names(other, part) for other in place))
    return with_part(place, part, replace(part, name=f"{part.name}-b")) if part else None


def names(other: Part, part: Part) -> bool:
    """Whether a Kustomization depends on another."""
    return {"name": part.name} in other.spec.get("dependsOn", ())


def set_spec(random: random.Random, place: Place) -> Place | None:
    """A field of a Kustomization that decides what it deletes."""
    part = random.choice(place)
    fields: tuple[Mapping[str, Any], ...] = (
        {"prune": False},
        {"prune": True},
        {"suspend": True},
        {"suspend": False},
        *({"deletionPolicy": policy} for policy in POLICIES),
    )
    return with_part(place, part, replace(part, spec={**part.spec, **random.choice(fields)}))


def break_build(random: random.Random, place: Place) -> Place | None:
    """A build fails, or works again."""
    part = random.choice(place)
    return with_part(place, part, replace(part, is_broken=not part.is_broken))


CHANGES: tuple[Change, ...] = (
    remove_object,
    remove_object,
    add_object,
    move_object,
    mark_object,
    edit_object,
    remove_part,
    remove_part,
    rename_part,
    set_spec,
    set_spec,
    break_build,
)


def changed(random: random.Random, place: Place) -> Place:
    """A place after one commit of one or two changes."""
    new = place
    for _ in range(random.choice((1, 1, 2))):
        for _ in range(TRIES):
            other = random.choice(CHANGES)(random, new)
            if other is not None and other != place:
                new = other
                break
    return new


def written(writer: Writer, place: Place) -> Parts:
    """The files of one revision."""
    parts: Parts = {"flux": ()}
    for part in place:
        parts[part.path] = (*parts.get(part.path, ()), *objects(writer, part))
        if part.is_broken:
            parts[f"{part.path}/kustomization.yaml"] = text("resources: [all.yaml, missing.yaml]")
    for part in place:
        parts[part.above] = (*parts.get(part.above, ()), writer.ks(part.name, path=part.path, **part.spec))
    return parts


def objects(writer: Writer, part: Part) -> tuple[Manifest, ...]:
    """What a Kustomization applies besides other Kustomizations."""
    spaces = sorted({thing.space for thing in part.things if thing.space})
    configs = (marked(config(writer, thing), **thing.marks) for thing in part.things)
    return (*(writer.space(space) for space in spaces), *configs)


def config(writer: Writer, thing: Thing) -> Manifest:
    """The ConfigMap of a thing."""
    namespace = writer.within(thing.space) if thing.space else ""
    return writer.config(thing.name, namespace=namespace, edition=str(thing.edition))


def generated(seed: int) -> World:
    """The world of a seed."""
    chance = random.Random(seed)
    places = [first(chance)]
    for _ in range(chance.choice((1, 1, 2))):
        places.append(changed(chance, places[-1]))
    return world(f"seed-{seed:03}", lambda writer: tuple(written(writer, place) for place in places))
