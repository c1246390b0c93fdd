"""Where each setting was written: the distribution is built again and again, with one more change each time.

The change that gives a setting its last value is its origin. This needs no understanding of what
a patch may say, only of the order in which kustomize applies them.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flux_handover.documents import Document, read_documents
from flux_handover.findings import Location
from flux_handover.model.building import Builder, BuildRequest
from flux_handover.model.installation import FluxPatch, Setting, SettingKind
from flux_handover.model.settings import Change, changes, last_changed
from flux_handover.model.settings_lines import Passage, passage, place_of
from flux_handover.model.settings_stack import (
    KustomizationFile,
    Step,
    file_steps,
    kustomization_with,
    spec_steps,
    tree_with,
    without_documents,
)
from flux_handover.objects import Object, ObjectId, mapping
from flux_handover.tree import Tree, clean_path

_INLINE = ("patches", "patchesJson6902")


@dataclass(frozen=True, slots=True)
class Stack:
    """Everything that turns a plain distribution into what runs.

    `kustomization` builds in `tree`; `files` are the kustomization.yaml files that change Flux, in
    order; `document` declares the Kustomization (None: no file does). `sources` are the files of the
    repository, where places are looked for: a distribution's own tree has none.
    """

    tree: Tree
    kustomization: Mapping[str, Any]
    files: tuple[KustomizationFile, ...]
    document: Document | None
    sources: Tree

    @property
    def steps(self) -> tuple[Step, ...]:
        """All changes in order."""
        return (*file_steps(self.files), *spec_steps(self.kustomization))


@dataclass(frozen=True, slots=True)
class Stage:
    """The Flux objects after one more change, and the passages that made it.

    `manifests` are the passages of objects that are written out whole, by object.
    """

    objects: tuple[Object, ...]
    passages: tuple[Passage, ...]
    manifests: Mapping[ObjectId, Passage] = field(default_factory=dict)


def stages(stack: Stack, builder: Builder, plain: Iterable[Object], live: Iterable[Object]) -> tuple[Stage, ...]:
    """The Flux objects without any change, then after each; changes that build only together are one stage.

    Flux's objects are those with the id of a `plain` or `live` one.
    """
    before, after = tuple(plain), tuple(live)
    fast = replace(stack, tree=without_documents(stack.tree, _unchanged(before, after)))
    return _stages(fast, builder, (*before, *after)) or _stages(stack, builder, (*before, *after))


def _unchanged(plain: tuple[Object, ...], live: tuple[Object, ...]) -> frozenset[str]:
    """Names of CustomResourceDefinitions that no change has touched."""
    before = {o.id: o for o in plain if o.id.kind == "CustomResourceDefinition"}
    return frozenset(o.id.name for o in live if o.id in before and before[o.id].data == o.data)


def _name(object: Object) -> tuple[str, str, str]:
    """What an object is called while patches may still move it to another namespace."""
    return object.id.group, object.id.kind, object.id.name


def _stages(stack: Stack, builder: Builder, chosen: tuple[Object, ...]) -> tuple[Stage, ...]:
    steps = stack.steps
    built = _built(stack, builder, steps)
    names = frozenset(map(_name, chosen))
    found: list[Stage] = []
    pending: tuple[Passage, ...] = ()
    for number, objects in enumerate(built):
        pending += _passages(stack, steps[number - 1]) if number else ()
        if objects is not None:
            own = tuple(object for object in objects if _name(object) in names)
            found.append(Stage(own, pending))
            pending = ()
    return tuple(found)


def _built(stack: Stack, builder: Builder, steps: tuple[Step, ...]) -> list[tuple[Object, ...] | None]:
    """The build after each number of steps, None where it fails; trees are shared by the Kustomization's own steps."""
    in_files = sum(step.in_file for step in steps)
    built: list[tuple[Object, ...] | None] = []
    for kept in range(in_files):
        built += _build(stack, builder, steps, [kept])
    return built + _build(stack, builder, steps, range(in_files, len(steps) + 1))


def _build(
    stack: Stack, builder: Builder, steps: tuple[Step, ...], counts: Sequence[int]
) -> list[tuple[Object, ...] | None]:
    tree = tree_with(stack.tree, stack.files, steps[: counts[0]])
    requests = [BuildRequest(str(n), kustomization_with(stack.kustomization, steps[:n])) for n in counts]
    results = builder.build(tree, requests)
    return [None if result.error else result.objects for result in results]


def settings(
    plain: tuple[Object, ...], staged: Sequence[Stage], live: tuple[Object, ...], owner: Location
) -> tuple[Setting, ...]:
    """The settings of `live`, each at the place of the last change that gave it its value.

    What no change of `staged` explains (substitution, metadata) is placed at the `owner`.
    """
    series = [plain, *(stage.objects for stage in staged), live]
    latest = last_changed(series)
    found = changes(plain, live)
    made = [_setting(change, _place(change, staged, latest.get(change.about, 0), owner)) for change in found]
    return tuple(sorted(made, key=lambda s: (s.where, s.target, s.kind.value, s.key)))


def _setting(change: Change, where: Location) -> Setting:
    about = change.about
    return Setting(about.target, SettingKind(about.kind), about.key, change.value, where)


def _place(change: Change, staged: Sequence[Stage], number: int, owner: Location) -> Location:
    if not 1 <= number <= len(staged):
        return owner
    stage = staged[number - 1]
    own = stage.manifests.get(change.about.target)
    return place_of(change, (own,) if own else stage.passages) or owner


def patches(stack: Stack) -> tuple[FluxPatch, ...]:
    """The patches among the changes, in order, with their text and target."""
    found = (_patch(stack, step) for step in stack.steps if step.field.startswith("patches"))
    return tuple(patch for patch in found if patch is not None)


def _patch(stack: Stack, step: Step) -> FluxPatch | None:
    text = _patch_text(stack, step)
    places = _passages(stack, step)
    if text is None or not places:
        return None
    target = tuple((str(k), str(v)) for k, v in mapping(mapping(step.content).get("target")).items())
    return FluxPatch(text, target, places[0].start)


def _patch_text(stack: Stack, step: Step) -> str | None:
    content = step.content
    inline = content if isinstance(content, str) else mapping(content).get("patch")
    path = _patch_file(stack, step)
    if path is not None:
        return stack.sources.read(path).decode(errors="replace")
    return inline if isinstance(inline, str) else None


def _patch_file(stack: Stack, step: Step) -> str | None:
    """The file of a patch that is not written inline, if it is in the tree."""
    name = step.content if isinstance(step.content, str) else mapping(step.content).get("path")
    if not isinstance(name, str) or "\n" in name:
        return None
    path = clean_path(posixpath.join(posixpath.dirname(step.file), name))
    return path if path in stack.sources and stack.sources.files[path].content is not None else None


def _passages(stack: Stack, step: Step) -> tuple[Passage, ...]:
    """Where a change is written: its own entry, then the file it refers to."""
    path = _patch_file(stack, step)
    inline = _entry(stack, step)
    outside = (passage(path, stack.sources.read(path), 1),) if path is not None else ()
    return (*inline, *outside)


def _entry(stack: Stack, step: Step) -> tuple[Passage, ...]:
    document, prefix = _declaring(stack, step)
    if document is None or document.path not in stack.sources:
        return ()
    trail: tuple[str | int, ...] = (*prefix, step.field, *(() if step.index is None else (step.index,)))
    first = document.line_of(*trail)
    last = _last_line(document, step, prefix)
    return (passage(document.path, stack.sources.read(document.path), first, last),)


def _declaring(stack: Stack, step: Step) -> tuple[Document | None, tuple[str, ...]]:
    if step.in_file:
        return next((file.document for file in stack.files if file.path == step.file), None), ()
    return stack.document, ("spec",)


def _last_line(document: Document, step: Step, prefix: tuple[str, ...]) -> int:
    """The line before the next entry, or the end of the text that the entry holds."""
    first = document.line_of(*prefix, step.field, *(() if step.index is None else (step.index,)))
    if step.index is None:
        return first + str(step.content).count("\n") + len(mapping(step.content))
    following = document.line_of(*prefix, step.field, step.index + 1)
    if following > first:
        return following - 1
    return first + _height(step.content)


def _height(content: Any) -> int:
    """At most how many lines a value takes, generously: comments may stand between."""
    if isinstance(content, Mapping):
        return sum(1 + _height(value) for value in content.values())
    if isinstance(content, list):
        return sum(1 + _height(value) for value in content)
    return str(content).count("\n") + 1


def document_at(tree: Tree, where: Location | None) -> Document | None:
    """The YAML document that begins at a place."""
    if where is None or where.file not in tree or tree.files[where.file].content is None:
        return None
    documents = read_documents(where.file, tree.read(where.file)).documents
    return next((document for document in documents if document.line == where.line), None)
