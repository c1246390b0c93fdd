"""`rehearse --bootstrap`: a bare control plane, brought up by the repository's own new steps.

Real Helmfile, Helm, SOPS and kubectl do what the steps say, on a copy of the repository with its secrets replaced.
Hooks are off, and a Helmfile that runs commands while it is rendered is refused: nothing of it is executed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import assert_never

from flux_handover.act.bare_steps import ApplyPath, CreateObject, Deed, Deeds, SyncHelmfile
from flux_handover.act.comparing import happenings
from flux_handover.act.content import cleaned, shared
from flux_handover.act.execute import Direction, Mark, Moment, Place, Run, marked, moments, settings
from flux_handover.act.gates import is_true
from flux_handover.act.journal import Journal
from flux_handover.act.observing import Expected, Rest, wait_for_rest
from flux_handover.act.programs import ran
from flux_handover.act.rehearse import JOURNAL, START_SECONDS, Playing, Rehearsed, place_of, told_of
from flux_handover.act.rehearse_setup import (
    BY_HAND,
    Publishing,
    Stage,
    access,
    furnish,
    manifest_of,
    recording_folder,
    secrets,
    stubbed,
)
from flux_handover.adapters.sandbox.binaries.providers import Program
from flux_handover.adapters.sandbox.control.processes import plain_environment
from flux_handover.adapters.sandbox.session import Sandbox, running_sandbox
from flux_handover.adapters.sandbox.standins.sops import AgeKey
from flux_handover.errors import SandboxError
from flux_handover.model.effective_kept import lost
from flux_handover.model.rendering import BuildStatus, Cluster
from flux_handover.objects import KUSTOMIZE_GROUP, OPERATOR_GROUP, Object, ObjectId, id_of, mapping, object_of
from flux_handover.plan.bootstrap_steps import objects_at
from flux_handover.plan.bootstrap_texts import is_age_key, is_encrypted
from flux_handover.plan.listings import KUSTOMIZATION_FILES
from flux_handover.proof.obligations import Verdict
from flux_handover.tree import FileKind, Tree

SYNC_SECONDS, READY_SECONDS = 420.0, 240.0
LAST_WORDS = 300
RUNS_COMMANDS = re.compile(rb"\{\{[^}]*\b(?:exec|envExec|fetchSecretValue|expandSecretRefs)\b")
RECONCILED = "everything reconciles"


@dataclass(frozen=True, slots=True)
class Bare:
    """A bare control plane and a copy of the repository, its secrets replaced, as a person would have it.

    `base` is the cluster as the revision that was planned renders it.
    """

    play: Playing
    base: Cluster
    checkout: Path
    tree: Tree
    key: AgeKey
    sha: str

    @property
    def place(self) -> Place:
        """Where the deeds are done."""
        return self.play.place

    @property
    def sandbox(self) -> Sandbox:
        """What they are done in."""
        return self.play.sandbox


@contextmanager
def bare(
    programs: Mapping[str, Program],
    stage: Stage,
    base: Cluster,
    tree: Tree,
    journal: Path | None,
    told: Callable[[str], None],
) -> Iterator[Bare]:
    """A control plane with nothing on it, beside a Git host that serves the tree."""
    started = time.monotonic()
    with ExitStack() as stack:
        told("starting a control plane")
        sandbox = stack.enter_context(running_sandbox(programs, network=stage.network, recording=recording_folder()))
        furnish(sandbox, stage)
        stubbed(sandbox.cluster, stage)
        publishing = Publishing(sandbox, stage)
        sha = publishing.push(tree, "all phases")
        disguised = publishing.disguised(tree)
        written = stack.enter_context(Journal(journal or sandbox.plane.folder / JOURNAL))
        place = place_of(stack, sandbox, stage, publishing, written, told)
        place = replace(place, shared=place.shared | shared(base))
        play = Playing(sandbox, place, stage, marked(place), Rest(0.0, {}), started)
        checkout = checked_out(disguised, sandbox.plane.folder / "checkout")
        yield Bare(play, base, checkout, disguised, publishing.key, sha)


def checked_out(tree: Tree, folder: Path) -> Path:
    """The files of a tree in a folder; links are left out, since they may lead anywhere."""
    for path in tree:
        file = tree.files[path]
        if file.kind is FileKind.FILE and file.content is not None:
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.content)
    return folder


def rehearse_bare(bare: Bare, deeds: Deeds) -> Rehearsed:
    """The deeds in order, and then all that Flux makes of them; ends where one fails."""
    ready = time.monotonic()
    runs = tuple(_runs(bare, deeds.done))
    told = told_of(bare.play, runs, ready)
    left = (f"{where}: not done here, Flux does not need it" for where in deeds.left)
    return replace(told, objects=len(bare.place.recorder.current()), notes=(*told.notes, *left))


def _runs(bare: Bare, deeds: Sequence[Deed]) -> Iterator[Run]:
    for deed in deeds:
        bare.place.told(f"doing {deed.where}")
        run = done(bare, deed)
        yield run
        if run.verdict is Verdict.REFUTED:
            return
    yield reconciled(bare)


def done(bare: Bare, deed: Deed) -> Run:
    """One deed, and what it brought."""
    start, mark = time.monotonic(), marked(bare.place)
    problem = did(bare, deed)
    bare.place.journal.write(time.time(), "deed", where=str(deed.where), problem=problem)
    return run_of(bare, str(deed.where), mark, (problem,) if problem else (), time.monotonic() - start)


def run_of(bare: Bare, name: str, mark: Mark, problems: tuple[str, ...], seconds: float) -> Run:
    """What happened since a mark, as a run; on a bare cluster nothing may be deleted."""
    changes = bare.place.recorder.settled()[mark.change :]
    happened, restarts = happenings(changes), bare.place.restarts(mark.time)
    gone = tuple(f"deleted: {id}" for id in happened.deleted)
    return Run(
        name=name,
        direction=Direction.BOOTSTRAP,
        announced=(),
        happened=happened,
        restarts=restarts,
        gates=(),
        unready={},
        problems=(*problems, *gone),
        seconds=seconds,
        moments=(Moment(mark.time, "begun"), *moments(changes, restarts)),
    )


def did(bare: Bare, deed: Deed) -> str:
    """A deed done; why it could not be, empty where it could."""
    match deed:
        case CreateObject(id=id):
            return created(bare, id)
        case ApplyPath(path=path):
            return applied(bare, path)
        case SyncHelmfile():
            return synced(bare, deed) or awaited(bare)
        case _:
            assert_never(deed)


def created(bare: Bare, id: ObjectId) -> str:
    """A Namespace, a throw-away key, or throw-away content."""
    if id.kind == "Namespace":
        manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": id.name}}
    else:
        known = {id_of(manifest): manifest for manifest in secrets(bare.sandbox, bare.play.stage, bare.key)}
        made = bare.key.secret(id.name, id.namespace) if is_age_key(id) else manifest_of(id, {})
        manifest = dict(known.get(id, made))
    if id.namespace and bare.sandbox.cluster.get(ObjectId("", "Namespace", "", id.namespace)) is None:
        return f"{id}: its namespace is not there yet"
    bare.sandbox.cluster.apply(manifest, field_manager=BY_HAND)
    return ""


def applied(bare: Bare, path: str) -> str:
    """A file or directory applied, and what lets a source in here where it brought that."""
    failed = applied_as_it_is(bare, path)
    there = objects_at(path, bare.tree, bare.play.stage.cluster.root.namespace)
    for source in bare.play.stage.cluster.sources.values() if not failed else ():
        if source.secret in there and bare.sandbox.world.has(source.url):
            login = manifest_of(source.secret, access(bare.sandbox, source))
            bare.sandbox.cluster.apply(login, field_manager=BY_HAND)
    return failed


def applied_as_it_is(bare: Bare, path: str) -> str:
    """A file or directory applied by kubectl, decrypted by SOPS before it where it is encrypted."""
    if path in bare.tree and is_encrypted(path, bare.tree):
        secret = {**plain_environment(), "SOPS_AGE_KEY_FILE": str(bare.key.identity)}
        plain = ran((program(bare, "sops"), "--decrypt", path), secret, folder=bare.checkout)
        if plain.returncode:
            return f"{path}: SOPS cannot decrypt it"
        return kubectl(bare, ("--filename", "-"), plain.stdout)
    has_listing = any(f"{path}/{name}" in bare.tree for name in KUSTOMIZATION_FILES)
    return kubectl(bare, ("--kustomize" if has_listing else "--filename", path))


def kubectl(bare: Bare, what: tuple[str, ...], given: str | None = None) -> str:
    """A server-side apply; why it failed, without what was given to it."""
    command = (program(bare, "kubectl"), "apply", "--server-side", *what)
    result = ran(command, around(bare), folder=bare.checkout, given=given)
    return "" if result.returncode == 0 else f"kubectl apply {' '.join(what)}: {result.stderr.strip()[-LAST_WORDS:]}"


def synced(bare: Bare, deed: SyncHelmfile) -> str:
    """Flux's releases of a Helmfile, synced; why that failed, empty where it did not."""
    refuse_commands(deed.path, bare.tree)
    helm = Path(program(bare, "helm"))
    names = [part for name in deed.releases for part in ("--selector", f"name={name}")]
    command = (program(bare, "helmfile"), "--helm-binary", str(helm), "--file", deed.path, *names, "sync")
    environment = {
        **around(bare),
        **bare.sandbox.world.environment,
        "PATH": str(helm.parent),
        "HELMFILE_DISABLE_HOOKS": "true",
        "HELMFILE_UPGRADE_NOTICE_DISABLED": "true",
    }
    result = ran(command, environment, folder=bare.checkout, seconds=SYNC_SECONDS)
    return "" if result.returncode == 0 else f"{deed.path}: {' '.join(result.stderr.split())[-LAST_WORDS:]}"


def refuse_commands(helmfile: str, tree: Tree) -> None:
    """Raises SandboxError where rendering a Helmfile would run commands or ask for secrets elsewhere."""
    for path in tree:
        content = tree.files[path].content
        if (path == helmfile or path.endswith(".gotmpl")) and content and RUNS_COMMANDS.search(content):
            hint = "nothing of a repository is executed here; bootstrap a disposable cluster by hand instead"
            raise SandboxError("a template runs commands while Helmfile renders it", where=path, hint=hint)


def around(bare: Bare) -> Mapping[str, str]:
    """What a program may know: the sandbox, and a home of its own."""
    folder = bare.sandbox.plane.folder
    return {**plain_environment(), "HOME": str(folder / "secrets"), "KUBECONFIG": str(bare.place.cluster.kubeconfig)}


def program(bare: Bare, name: str) -> str:
    """The path of a program."""
    return str(bare.sandbox.programs[name].path)


def awaited(bare: Bare) -> str:
    """The FluxInstance Ready, and Flux's kinds served: what has to be seen before the root is applied (R22)."""
    end = time.monotonic() + READY_SECONDS
    cluster = bare.place.cluster
    while time.monotonic() < end:
        instances = cluster.list(OPERATOR_GROUP, "FluxInstance")
        if instances and all(is_true(one, "Ready") for one in instances):
            return "" if cluster.kind(KUSTOMIZE_GROUP, "Kustomization") else "Flux is Ready without its kinds"
        time.sleep(1)
    return "no FluxInstance becomes Ready"


def reconciled(bare: Bare) -> Run:
    """Everything that Git holds reconciles, and Flux runs with the settings that it had."""
    place, stage, mark = bare.place, bare.play.stage, marked(bare.place)
    place.told("waiting until everything reconciles")
    expected = Expected(bare.sha, place.sources, place.controllers)
    rest = wait_for_rest(place.cluster, place.recorder, expected, seconds=START_SECONDS, told=place.told)
    fails = {build.id for build in bare.base if build.status is BuildStatus.FAILED}
    wanted = sorted(build.id for build in stage.cluster if build.id not in fails)
    set_before = (served(bare, object) for object in stage.installation.live if object.id not in place.shared)
    problems = (
        *(f"not ready again: {id}: {reason}" for id, reason in rest.missing.items() if id not in fails),
        *(f"not there again: {id}" for id in wanted if place.cluster.get(id) is None),
        *(f"setting: {difference}" for difference in lost(set_before, settings(place))),
    )
    return run_of(bare, RECONCILED, mark, problems, rest.seconds)


def served(bare: Bare, object: Object) -> Object:
    """An object with the defaults of the API server, which all live ones have; asked for without writing it."""
    cluster = bare.place.cluster
    there, kind = cluster.get(object.id), cluster.kind(object.id.group, object.id.kind)
    if there is None or kind is None:
        return object
    metadata = {
        **mapping(object.data.get("metadata")),
        "resourceVersion": mapping(there["metadata"])["resourceVersion"],
    }
    path = f"{kind.path(object.id.namespace, object.id.name)}?dryRun=All"
    return object_of(cleaned(cluster.send("PUT", path, {**object.data, "metadata": metadata})))
