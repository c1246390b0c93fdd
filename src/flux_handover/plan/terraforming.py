"""Method `terraform`: before anything else, Terraform forgets the Flux that it installed (rules.md R29).

A destroy of `flux_bootstrap_git` deletes by label, and the operator's objects carry that label
(`fluxcd/terraform-provider-flux:internal/provider/resource_bootstrap_git.go#Delete@v1.8.5`). So the state is handed
over first, and what follows is the way of `flux bootstrap`, whose files Terraform wrote. Nothing of Terraform is run.

From then on Terraform builds no bare cluster any more, so a page with the commands that do comes with the same commit;
phase `bootstrap` replaces it (docs/adr/0043-rebuild-while-terraform-forgets.md).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import replace

from flux_handover.errors import UnsupportedInstallation
from flux_handover.findings import Location
from flux_handover.model.detection_terraform import SUFFIXES, Block, terraform_blocks
from flux_handover.model.installation import Installation, Method
from flux_handover.model.rendering import Cluster
from flux_handover.model.settings_texts import bytes_of, decoded
from flux_handover.model.terraform_flux import BOOTSTRAP, RENDERING, flux_files, flux_in_terraform, speaks_of
from flux_handover.objects import ObjectId
from flux_handover.plan.bootstrap_commands import Command
from flux_handover.plan.bootstrap_needs import root_needs
from flux_handover.plan.bootstrap_steps import BootstrapStep, Installs
from flux_handover.plan.edits import edited
from flux_handover.plan.listings import listing_of
from flux_handover.plan.operations import AddFile, Operation, RemoveFile, ReplaceText
from flux_handover.plan.phases import Gate, LiveStep, PhaseDraft, PhaseName
from flux_handover.tree import Tree, clean_path

OLDEST_REMOVED = (1, 7)
"""Terraform knows `removed` blocks since 1.7 (`hashicorp/terraform:CHANGELOG.md@v1.7.0`)."""

_REQUIRED = re.compile(r'^[ \t]*required_version[ \t]*=[ \t]*"([^"]*)"', re.MULTILINE)
_LOWER = re.compile(r"(?:>=|~>|=|^)\s*v?(\d+)\.(\d+)")
_MARK = "# Flux, which is the operator's"
_TRACE = re.compile(
    rf"^[ \t]*(?:from[ \t]*=[ \t]*(?={BOOTSTRAP}\.|[^\n]*{_MARK})|# forgotten: )(\w+\.[\w-]+)", re.MULTILINE
)
_COMMITTING = re.compile(r"_repository_(?:file|content)$")
"""Types of resources that write a file into a repository, and nothing into a cluster."""


def handed_over(installation: Installation, cluster: Cluster, tree: Tree) -> Installation:
    """The installation as it is once the state is handed over: manifests in Git; refused where there are none."""
    if installation.method is not Method.TERRAFORM:
        return installation
    if installation.owner is None and not installation.live:
        raise _not_applied_by_flux(installation, cluster, tree)
    return replace(installation, method=Method.BOOTSTRAP)


def _not_applied_by_flux(installation: Installation, cluster: Cluster, tree: Tree) -> UnsupportedInstallation:
    """Terraform is all that applies Flux: the refusal names the block, and the files where Git has them."""
    block = next(_of_flux(installation, cluster, tree), None)
    where = str(block.where) if block else installation.place
    notes = "; ".join(installation.notes)
    written = next((path for one in _owning(cluster, tree) for path in flux_files(one, tree, cluster.root)), "")
    if written:
        return UnsupportedInstallation(
            f"Flux's manifests in {written} are applied by Terraform alone, and by no Kustomization",
            where=where,
            hint=f"list {written} in a kustomization.yaml that Flux reads, in a commit before the handover; {notes}",
        )
    return UnsupportedInstallation(
        "no manifest of Flux is in Git: Terraform renders and applies them from its own state",
        where=where,
        hint=f"write Flux's manifests into Git at the version that runs, and let Flux apply them; {notes}",
    )


def _of_flux(installation: Installation, cluster: Cluster, tree: Tree) -> Iterator[Block]:
    """The blocks that install Flux: first those that render it, as their line is what a person looks for."""
    rendering = (b for b in terraform_blocks(tree) if b.kind == "data" and b.type in RENDERING)
    yield from (b for b in (*rendering, *_owning(cluster, tree)) if b.path in installation.files)


def state(cluster: Cluster, installation: Installation, tree: Tree) -> PhaseDraft:
    """The blocks that own Flux in Terraform's state, replaced by ones that forget it."""
    found = flux_in_terraform(tree, cluster.root)
    own = [block for block in found.owning if block.path in installation.files and _bootstraps(block, cluster, tree)]
    if not own:
        return PhaseDraft()
    reading = [block for block in found.reading if block.path in installation.files]
    leaving = (*own, *reading)
    for block in leaving:
        _check(block, leaving, tree)
    operations = (
        *(_forget(block, tree) for block in own),
        *(ReplaceText(b.path, b.text, "", "it reads files that leave Git, and nothing uses it") for b in reading),
        *_paged(own, cluster, installation, tree),
    )
    first = "run nothing of Terraform until this is merged, then apply it before anything else of the plan"
    return PhaseDraft(operations, (first, *_namespaces(installation, tree)))


def _namespaces(installation: Installation, tree: Tree) -> Iterator[str]:
    """Blocks that own the Namespace: they stay, and the day one is taken out it takes all of Flux along."""
    named = re.compile(rf'^\s*name\s*=\s*"{re.escape(installation.namespace)}"', re.MULTILINE)
    for block in terraform_blocks(tree):
        if block.kind == "resource" and block.type.startswith("kubernetes_namespace") and named.search(block.text):
            yield (
                f"{block.where}: {block.address} owns the Namespace of Flux, which the operator labels from now on: "
                "ignore changes of its labels and annotations, and never take it out but with a `removed` block"
            )


def _paged(own: list[Block], cluster: Cluster, installation: Installation, tree: Tree) -> Iterator[Operation]:
    """The page for a bare cluster, where a block made one of it and no file in Git installs Flux otherwise."""
    first = next((block for block in own if _applies(block)), None)
    if first is not None:
        why = "Terraform builds no bare cluster any more, and the operator does not yet"
        yield AddFile(_page(first.path, cluster), _rebuilding(cluster, installation, tree), (), why)


def _applies(block: Block) -> bool:
    return _COMMITTING.search(block.type) is None


def _owning(cluster: Cluster, tree: Tree) -> tuple[Block, ...]:
    return flux_in_terraform(tree, cluster.root).owning


def terraform_steps(cluster: Cluster, tree: Tree) -> Iterator[BootstrapStep]:
    """What `terraform apply` puts into a bare cluster: Flux, its root and source, and the Secret of the source."""
    needs = frozenset(need.id for need in root_needs(cluster))
    own = (block for block in _owning(cluster, tree) if _applies(block))
    for block in own:
        if _bootstraps(block, cluster, tree):
            created = needs | {ObjectId("", "Namespace", "", str(block.literal("namespace") or "flux-system"))}
            command = Command(block.where, block.last_line, f"terraform apply # {block.address}", ())
            yield BootstrapStep(command, created, frozenset({Installs.FLUX}))


def _bootstraps(block: Block, cluster: Cluster, tree: Tree) -> bool:
    """Whether a block is this cluster's, as far as it says."""
    if block.type != BOOTSTRAP:
        return speaks_of(block, cluster.name, tree)
    path = block.literal("path")
    return path is None or clean_path(str(path)) == cluster.name


def _page(file: str, cluster: Cluster) -> str:
    name = posixpath.basename(cluster.name) or "cluster"
    return posixpath.join(posixpath.dirname(file), f"{name}-on-a-bare-cluster.md")


def replaced(draft: PhaseDraft, cluster: Cluster, tree: Tree) -> PhaseDraft:
    """Phase `bootstrap`, with the page that it replaces taken away."""
    removals = tuple(RemoveFile(path, (), "the operator builds a bare cluster now") for path in _pages(cluster, tree))
    return replace(draft, operations=(*draft.operations, *removals)) if removals else draft


def without_page(cluster: Cluster, tree: Tree) -> Tree:
    """The tree as phase `bootstrap` finds it: what the page says is not to be relied on."""
    return edited(tree, [RemoveFile(path, (), "") for path in _pages(cluster, tree)])


def _pages(cluster: Cluster, tree: Tree) -> Iterator[str]:
    heading = _heading(cluster).encode()
    yield from (path for path in tree if path.endswith(".md") and bytes_of(tree, path).startswith(heading))


def _heading(cluster: Cluster) -> str:
    return f"# Flux on a bare cluster {cluster.name}, until its operator does it\n"


def _rebuilding(cluster: Cluster, installation: Installation, tree: Tree) -> str:
    """The page: what creates the namespace and what nobody renders, then Flux, then its root."""
    namespace = installation.namespace
    needs = [need.id for need in root_needs(cluster) if need.id.group == ""]
    secrets = [
        f"kubectl --namespace {id.namespace} create {'configmap' if id.kind == 'ConfigMap' else 'secret generic'} "
        f'{id.name} --from-file="$DIRECTORY_WITH_ITS_KEYS"'
        for id in needs
    ]
    install = f"flux install --version={installation.version} --namespace={namespace}"
    lines = [
        f"kubectl create namespace {namespace}",
        *secrets,
        f"{install} --components={','.join(installation.components)}",
        *_roots(cluster, installation, tree),
    ]
    text = "\n".join(lines)
    return (
        f"{_heading(cluster)}\nTerraform has forgotten Flux and does not install it any more. "
        f"Until phase `bootstrap` replaces this page, a bare\ncluster gets Flux by these commands:\n\n"
        f"```sh\n{text}\n```\n"
    )


def _roots(cluster: Cluster, installation: Installation, tree: Tree) -> Iterator[str]:
    """The command that applies root and source, with the patches of the components beside them."""
    where = cluster.builds[cluster.root].where
    if where is None:
        return
    directory = posixpath.dirname(where.file)
    if {where.file, listing_of(directory, tree)} <= {*installation.files}:
        yield f"kubectl apply --server-side --kustomize {directory}"
    else:
        yield f"kubectl apply --server-side --filename {where.file}"


def _forget(block: Block, tree: Tree) -> Operation:
    why = "Terraform must forget Flux without destroying it: a destroy deletes by label, the operator's objects too"
    new = _removed(block) if _knows_removed(tree, block) else _commented(block)
    return ReplaceText(block.path, block.text, new, why)


def _removed(block: Block) -> str:
    mark = "" if block.type == BOOTSTRAP else f" {_MARK}"
    return f"removed {{\n  from = {block.address}{mark}\n\n  lifecycle {{\n    destroy = false\n  }}\n}}"


def _commented(block: Block) -> str:
    return f"# forgotten: {block.address}, by `state rm` before this file is applied again"


def _check(block: Block, leaving: tuple[Block, ...], tree: Tree) -> None:
    if block.path.endswith(".json"):
        raise UnsupportedInstallation(
            f"{block.address} is written as JSON",
            where=str(block.where),
            hint="write a `removed` block by hand",
        )
    if block.kind not in ("resource", "data"):
        raise UnsupportedInstallation(
            f"{block.address} reads Flux's manifests, which leave Git",
            where=str(block.where),
            hint="write the value into the blocks that use it first, so that it leaves with them",
        )
    if block.type == BOOTSTRAP and {"count", "for_each"} & set(block.attributes):
        raise UnsupportedInstallation(
            f"{block.address} stands for several instances",
            where=str(block.where),
            hint="write one block for each cluster first, with `moved` blocks",
        )
    naming = next(_mentions(block, leaving, tree), None)
    if naming is not None:
        raise UnsupportedInstallation(
            f"{block.address} is named elsewhere, which would fail once it is removed",
            where=str(naming),
            hint="take the reference out first",
        )


def _mentions(block: Block, leaving: tuple[Block, ...], tree: Tree) -> Iterator[Location]:
    """Lines of the same module, outside comments and the blocks that leave, that name it."""
    named = re.compile(rf"[^#]*(?<![\w.]){re.escape(block.address)}\b")
    for path in _module(block, tree):
        for number, line in enumerate(decoded(tree, path).split("\n"), start=1):
            where = Location(path, number)
            if named.match(line) and not any(one.covers(where) for one in leaving):
                yield where


def _module(block: Block, tree: Tree) -> Iterator[str]:
    """The files that Terraform reads together with a block."""
    directory = posixpath.dirname(block.path)
    return (path for path in tree if path.endswith(SUFFIXES) and posixpath.dirname(path) == directory)


def _knows_removed(tree: Tree, block: Block) -> bool:
    """Whether every Terraform that may read the file knows `removed` with a lifecycle; OpenTofu may not."""
    if any(path.endswith(".tofu") for path in tree):
        return False
    return any(_lower(bound) >= OLDEST_REMOVED for bound in _required_versions(block, tree))


def _required_versions(block: Block, tree: Tree) -> Iterator[str]:
    """What the module, or one that may call it, requires of Terraform."""
    near = (path for path in tree if path.endswith(".tf") and _is_around(path, block.path))
    return (match[1] for path in near for match in _REQUIRED.finditer(decoded(tree, path)))


def _is_around(path: str, other: str) -> bool:
    """In the same module, or in one above it that may call it."""
    directory = posixpath.dirname(path)
    return not directory or f"{posixpath.dirname(other)}/".startswith(f"{directory}/")


def _lower(bound: str) -> tuple[int, int]:
    found = [(int(match[1]), int(match[2])) for part in bound.split(",") if (match := _LOWER.search(part.strip()))]
    return max(found, default=(0, 0))


def forgotten(tree: Tree) -> tuple[tuple[str, str], ...]:
    """What files of Terraform say it has to forget: file and address."""
    found = (
        (path, match[1]) for path in tree if path.endswith(SUFFIXES) for match in _TRACE.finditer(decoded(tree, path))
    )
    return tuple(sorted(found))


def gated(draft: PhaseDraft, tree: Tree) -> PhaseDraft:
    """A later phase, which waits until Terraform has forgotten Flux."""
    gates = tuple(gate for path, address in forgotten(tree) for gate in _gates(path, address))
    return replace(draft, gates=(*draft.gates, *gates)) if draft.operations else draft


def _gates(path: str, address: str) -> Iterator[Gate]:
    directory = posixpath.dirname(path) or "."
    name = address.replace(".", "-")
    yield Gate(
        id=f"state-without-{name}",
        object=None,
        condition=f"no Terraform state holds {address}",
        command=f"terraform -chdir={directory} state list",
        expect=f"no line with {address}; if there is one, `terraform state rm '{address}'`, and see again",
        why="a destroy deletes by label, and the operator's objects carry that label",
    )
    yield Gate(
        id=f"no-plan-for-{name}",
        object=None,
        condition="no pending plan of Terraform touches Flux",
        command=f"terraform -chdir={directory} plan -detailed-exitcode",
        expect="exit status 0, or a plan that names nothing of Flux",
        why="the next apply must neither destroy Flux nor install it again; run both where the root module is",
    )


def imported(way_back: tuple[LiveStep, ...], phase: PhaseName, after: Tree, namespace: str) -> tuple[LiveStep, ...]:
    """The way back of a phase; after `state`, Terraform must know again what the revert describes."""
    if phase is not PhaseName.STATE:
        return way_back
    addresses = dict.fromkeys(address for _, address in forgotten(after))
    return (*way_back, *(_import(address, namespace) for address in addresses))


def _import(address: str, namespace: str) -> LiveStep:
    id = namespace if address.startswith(f"{BOOTSTRAP}.") else "ID"
    return LiveStep(
        f"before the next apply, import what {address} describes: without it Terraform installs Flux over Flux",
        f"terraform import {address} {id}",
        "Import successful",
    )
