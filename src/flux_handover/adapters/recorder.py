"""What happened in a cluster while we looked: every object created, changed, deleted or recreated.

One watch per kind, of metadata only: identity, generation, labels and annotations say all that a
handover must account for, and a Secret's content is never read. Kinds that come later, with their
CRD, are watched as soon as they are served.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType, TracebackType
from typing import Any, TypeVar

import httpx2

from flux_handover.adapters.cluster import METADATA, METADATA_LIST, Kind, KubeCluster, Manifest, is_listed
from flux_handover.errors import ClusterError
from flux_handover.objects import ObjectId, mapping

DISCOVERY_SECONDS = 1.0
Answer = TypeVar("Answer")


class Happened(Enum):
    """What happened to an object; recreated is created again after a deletion, with another uid."""

    CREATED = "created"
    CHANGED = "changed"
    DELETED = "deleted"
    RECREATED = "recreated"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened; `controlled` says that a controller object owns it (as a Pod)."""

    time: float
    happened: Happened
    id: ObjectId
    uid: str
    controlled: bool = False
    terminating: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """What was last seen of an object; two that differ in nothing here are the same object unchanged."""

    uid: str
    version: str
    marks: str
    controlled: bool
    terminating: bool


class Recorder:
    """Records while it is entered; entering returns once every kind has been listed."""

    def __init__(self, cluster: KubeCluster) -> None:
        self._cluster = cluster
        self._seen: dict[ObjectId, Seen] = {}
        self._gone: set[ObjectId] = set()
        self._changes: list[Change] = []
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="recorder", daemon=True)

    def __enter__(self) -> Recorder:
        self._thread.start()
        self._http = self._cluster.asynchronous()
        try:
            self._wait(self._catch_up())
        except BaseException:
            self._close()
            raise
        self._changes.clear()
        self._watcher = asyncio.run_coroutine_threadsafe(self._discover(), self._loop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watcher.cancel()
        self._close()

    def _close(self) -> None:
        """Ends every watch, the connections and the thread."""
        self._wait(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def changes(self) -> tuple[Change, ...]:
        """Everything until now, in the order it was seen."""
        return tuple(self._changes)

    def settled(self) -> tuple[Change, ...]:
        """Everything until now, after a fresh listing of every kind, so that nothing is in flight."""
        self._wait(self._catch_up())
        return self.changes

    def current(self) -> Mapping[ObjectId, str]:
        """The uid of every object that exists, as last seen."""
        return MappingProxyType({id: seen.uid for id, seen in tuple(self._seen.items())})

    def _wait(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop).result(120)
        except (httpx2.HTTPError, TimeoutError) as error:
            raise ClusterError(
                "the cluster stopped answering while it was recorded", where=self._cluster.server
            ) from error

    async def _stop(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await self._http.aclose()
        # A discovery that was asked for meanwhile ends on a thread of its own.
        await self._loop.shutdown_default_executor()

    async def _kinds(self) -> Sequence[Kind]:
        served = await asyncio.to_thread(self._cluster.kinds)
        return [kind for kind in served if is_listed(kind) and "watch" in kind.verbs]

    async def _catch_up(self) -> None:
        kinds = await self._kinds()
        await asyncio.gather(*(self._list(kind) for kind in kinds))
        for id in [id for id in self._seen if (id.group, id.kind) not in {(k.group, k.kind) for k in kinds}]:
            self._delete(id)

    async def _discover(self) -> None:
        while True:
            with suppress(ClusterError):
                for kind in await self._kinds():
                    key = (kind.group, kind.kind)
                    if key not in self._tasks or self._tasks[key].done():
                        self._tasks[key] = asyncio.create_task(self._follow(kind))
            await asyncio.sleep(DISCOVERY_SECONDS)

    async def _follow(self, kind: Kind) -> None:
        """Watches a kind until it is no longer served; a broken watch starts again with a listing."""
        while True:
            with suppress(httpx2.HTTPError):
                version = await self._list(kind)
                if version is None:
                    return
                await self._watch(kind, version)
            await asyncio.sleep(0.2)

    async def _list(self, kind: Kind) -> str | None:
        answer = await self._http.get(kind.path(), headers={"Accept": METADATA_LIST})
        if answer.is_error:
            return None
        document = mapping(answer.json())
        there = {self._id(kind, manifest): manifest for manifest in document.get("items") or ()}
        for id, manifest in there.items():
            self._note(id, manifest)
        for id in [id for id in self._seen if (id.group, id.kind) == (kind.group, kind.kind) and id not in there]:
            self._delete(id)
        return str(mapping(document.get("metadata")).get("resourceVersion", ""))

    async def _watch(self, kind: Kind, version: str) -> None:
        parameters = {"watch": "1", "resourceVersion": version, "timeoutSeconds": "600", "allowWatchBookmarks": "1"}
        async with self._http.stream("GET", kind.path(), params=parameters, headers={"Accept": METADATA}) as answer:
            if answer.is_error:
                return
            async for line in answer.aiter_lines():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                self._event(kind, str(event["type"]), mapping(event["object"]))

    def _event(self, kind: Kind, type: str, manifest: Manifest) -> None:
        id = self._id(kind, manifest)
        if type == "DELETED":
            self._delete(id)
        elif type in ("ADDED", "MODIFIED"):
            self._note(id, manifest)

    def _id(self, kind: Kind, manifest: Manifest) -> ObjectId:
        metadata = mapping(manifest.get("metadata"))
        return ObjectId(kind.group, kind.kind, str(metadata.get("namespace", "")), str(metadata.get("name", "")))

    def _note(self, id: ObjectId, manifest: Manifest) -> None:
        now, before = seen(manifest), self._seen.get(id)
        if before == now:
            return
        if before is not None and before.uid != now.uid:
            self._delete(id)
            before = None
        self._seen[id] = now
        if before is not None:
            self._record(Happened.CHANGED, id, now)
        else:
            self._record(Happened.RECREATED if id in self._gone else Happened.CREATED, id, now)

    def _delete(self, id: ObjectId) -> None:
        before = self._seen.pop(id, None)
        if before is not None:
            self._gone.add(id)
            self._record(Happened.DELETED, id, before)

    def _record(self, happened: Happened, id: ObjectId, what: Seen) -> None:
        self._changes.append(Change(time.time(), happened, id, what.uid, what.controlled, what.terminating))


def seen(manifest: Manifest) -> Seen:
    """What counts of an object's metadata: without a generation, every write counts."""
    metadata = mapping(manifest.get("metadata"))
    version = str(metadata.get("generation") or metadata.get("resourceVersion", ""))
    marks = json.dumps([metadata.get("labels"), metadata.get("annotations")], sort_keys=True)
    controlled = any(owner.get("controller") for owner in metadata.get("ownerReferences") or ())
    return Seen(str(metadata.get("uid", "")), version, marks, controlled, "deletionTimestamp" in metadata)
