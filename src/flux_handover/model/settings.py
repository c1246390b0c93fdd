"""Settings: what an installation changes of the plain distribution, one value per target and key.

They are found by comparing objects, not by reading patches, so that every spelling of a patch
gives the same settings; where each was written is found by `settings_origin`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from flux_handover.model.effective import PRESENT, FactKey, is_controller
from flux_handover.model.effective_kept import Difference, differences
from flux_handover.model.installation import SettingKind
from flux_handover.objects import Object, ObjectId, by_id

REMOVED = "removed"
DELETED = "deleted"
ADDED = "added"


@dataclass(frozen=True, slots=True)
class Change:
    """One setting without its place; an empty value is a field that was taken away."""

    about: FactKey
    value: str


def changes(plain: Iterable[Object], live: Iterable[Object]) -> tuple[Change, ...]:
    """Every setting of `live`, where `plain` is the distribution without any; new names are none."""
    before, after = tuple(plain), tuple(live)
    found = differences(before, after, renamed=dict(renames(before, after)))
    return tuple(change for difference in found if (change := _change(difference)) is not None)


def _change(difference: Difference) -> Change | None:
    about = difference.about
    if about.key != PRESENT:
        return Change(about, difference.after or "")
    if about.kind == SettingKind.COMPONENT.value:
        value = REMOVED if difference.after is None else ADDED
        return Change(FactKey(about.target, about.kind, about.target.name), value)
    # What a user adds beside the distribution stays where it is; only what is missing is a setting.
    return Change(about, DELETED) if difference.after is None else None


def renames(plain: Iterable[Object], live: Iterable[Object]) -> tuple[tuple[ObjectId, ObjectId], ...]:
    """Objects that go on under another name or namespace: the same content, and no other one it could be."""
    before, after = _by_id(plain), _by_id(live)
    gone = [before[id] for id in sorted(before.keys() - after.keys())]
    new = [after[id] for id in sorted(after.keys() - before.keys())]
    return _unambiguous([(old.id, object.id) for old in gone for object in new if _continues(old, object)])


def _unambiguous(pairs: list[tuple[ObjectId, ObjectId]]) -> tuple[tuple[ObjectId, ObjectId], ...]:
    olds, news = Counter(old for old, _ in pairs), Counter(new for _, new in pairs)
    return tuple((old, new) for old, new in pairs if olds[old] == news[new] == 1)


def _continues(old: Object, new: Object) -> bool:
    if (old.id.group, old.id.kind) != (new.id.group, new.id.kind):
        return False
    related = old.id.name in new.id.name or new.id.name in old.id.name
    return related and (old.id.name == new.id.name or _shape(old) == _shape(new))


def _shape(object: Object) -> Mapping[str, object]:
    """The content but for names: a binding follows the role it binds when that is renamed too."""
    return {k: v for k, v in object.data.items() if k not in ("metadata", "roleRef", "subjects")}


def _by_id(objects: Iterable[Object]) -> Mapping[ObjectId, Object]:
    return by_id(objects)


def last_changed(stages: Sequence[tuple[Object, ...]]) -> Mapping[FactKey, int]:
    """For each setting of the last stage, the stage that gave it its value; the first is the plain distribution."""
    latest: dict[FactKey, int] = {}
    for number, (before, after) in enumerate(pairwise(stages), start=1):
        moved = dict(renames(before, after))
        latest = {_moved(key, moved): stage for key, stage in latest.items()}
        latest.update({change.about: number for change in _every_change(before, after, moved)})
    return latest


def _moved(key: FactKey, moved: Mapping[ObjectId, ObjectId]) -> FactKey:
    return FactKey(moved.get(key.target, key.target), key.kind, key.key)


def _every_change(
    before: tuple[Object, ...], after: tuple[Object, ...], moved: Mapping[ObjectId, ObjectId]
) -> Iterator[Change]:
    for difference in differences(before, after, renamed=moved):
        if (change := _change(difference)) is not None:
            yield change


def components(live: Iterable[Object]) -> tuple[str, ...]:
    """Names of the controllers that run."""
    return tuple(sorted(object.id.name for object in live if is_controller(object)))
