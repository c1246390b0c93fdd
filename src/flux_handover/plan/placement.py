"""Where a new application goes: learnt from what bootstrap reads and from the neighbours.

First a bootstrap template that computes the path of a HelmRelease from namespace and name; then
the list that brings the Namespace of Flux or Kustomizations for it, with the names and shapes
of the files beside it. Names of directories decide nothing; what live Kustomizations read does.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from flux_handover.errors import UnsupportedInstallation, UsageError
from flux_handover.model.artifact import artifact
from flux_handover.model.installation import Installation
from flux_handover.model.origin import is_same_repository
from flux_handover.model.rendering import Build, Cluster
from flux_handover.objects import KUSTOMIZE_GROUP, ObjectId
from flux_handover.plan.dictated import Dictated, dictated
from flux_handover.plan.layout import AppFiles, Layout, relative
from flux_handover.plan.listings import (
    Listing,
    document_of,
    documents_of,
    generated_paths,
    is_below,
    listing_of,
    live_listings,
)
from flux_handover.plan.manners import interval_of, manners_of, opt_outs_of, release_files, schemas_of
from flux_handover.tree import Tree, clean_path

OPERATOR = "flux-operator"
INSTANCE = "flux-instance"

_NAME = "{name}"


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A live Kustomization, the file it stands in, and the list that names this file."""

    build: Build
    file: str
    listing: Listing


@dataclass(frozen=True, slots=True)
class Shape:
    """Paths of an application relative to the directory of the list, with `{name}` for its name.

    `above` says that the application's directory is relative to the top instead.
    """

    ks_file: str
    directory: str
    above: bool


_DEFAULT_SHAPE = Shape(f"{_NAME}/ks.yaml", f"{_NAME}/app", False)


def layout_for(installation: Installation, cluster: Cluster, tree: Tree, place_under: str | None) -> Layout:
    """The placement of operator and instance; refused where no list can take them."""
    listings = live_listings(cluster, tree)
    neighbours = tuple(_neighbours(cluster, installation, listings))
    dictate = dictated(tree)
    if place_under is not None and dictate is not None:
        raise UsageError(
            "--place-under cannot be obeyed: a bootstrap template computes where HelmReleases lie",
            where=str(dictate.where),
            hint=f"leave it out; the template reads {dictate.path_for(installation.namespace, OPERATOR)}",
        )
    home = (
        _home_under(place_under, listings) if place_under else _home(installation, cluster, tree, listings, neighbours)
    )
    return _layout(home, installation, cluster, tree, neighbours, dictate)


def _layout(
    home: Listing,
    installation: Installation,
    cluster: Cluster,
    tree: Tree,
    neighbours: tuple[Neighbour, ...],
    dictate: Dictated | None,
) -> Layout:
    model = _model(home, neighbours)
    parent = cluster.builds[home.parent]
    manners = manners_of(model.build if model else None, parent, home, tree)
    shape = _shape(home, neighbours)
    names = release_files(cluster, tree)
    namespace = model.build.id.namespace if model else installation.namespace
    apps = [
        _app(name, home, shape, ObjectId(KUSTOMIZE_GROUP, "Kustomization", namespace, name), names, manners.dotted)
        for name in (OPERATOR, INSTANCE)
    ]
    if dictate is not None:
        apps = [_dictated(app, dictate.path_for(installation.namespace, app.ks.name)) for app in apps]
    layout = Layout(
        listing=home.path,
        parent=home.parent,
        operator=apps[0],
        instance=apps[1],
        manners=manners,
        opt_outs=opt_outs_of(parent),
        release_interval=interval_of(cluster, "HelmRelease", "30m"),
        source_interval=interval_of(cluster, "OCIRepository", "1h"),
        schemas=schemas_of(cluster, tree),
        reasons=tuple(_reasons(home, model, dictate)),
    )
    _check(layout, cluster, tree)
    return layout


def _neighbours(cluster: Cluster, installation: Installation, listings: Iterable[Listing]) -> Iterator[Neighbour]:
    """Ours is built from the source of its neighbour, so one that applies another repository is no example.

    Neither is one that applies to another cluster.
    """
    by_file = {file: listing for listing in listings for file in listing.files}
    root = cluster.sources[cluster.builds[cluster.root].ks.source]
    for build in cluster:
        source = cluster.sources.get(build.ks.source)
        if source is None or not is_same_repository(source, root) or build.ks.remote_cluster:
            continue
        if build.where is not None and build.id != installation.owner and build.where.file in by_file:
            yield Neighbour(build, build.where.file, by_file[build.where.file])


def _home(
    installation: Installation,
    cluster: Cluster,
    tree: Tree,
    listings: tuple[Listing, ...],
    neighbours: tuple[Neighbour, ...],
) -> Listing:
    """The list with most reason to hold Flux's own applications."""
    parents = {build.parent for build in cluster} - ({installation.owner} - {cluster.root})
    own = [listing for listing in listings if listing.path not in installation.shared]
    candidates = [listing for listing in own if listing.parent in parents]
    scores = {listing: _score(listing, installation, cluster, tree, neighbours) for listing in candidates}
    if not any(max(scores.values(), default=())):
        raise UnsupportedInstallation(
            "no kustomization.yaml that Flux reads lists Kustomizations or the Namespace of Flux",
            where=cluster.name,
            hint="name a directory whose kustomization.yaml Flux reads with --place-under",
        )
    return max(scores, key=scores.__getitem__)


def _score(
    listing: Listing, installation: Installation, cluster: Cluster, tree: Tree, neighbours: tuple[Neighbour, ...]
) -> tuple[int, int, int, int, int]:
    """Lists the Namespace and neighbours for it; neighbours for it; any; the Namespace itself; Flux's own files."""
    here = [n for n in neighbours if n.listing == listing]
    for_flux = [n for n in here if _destination(n.build) == installation.namespace]
    is_root = sum(1 for n in here if n.build.id == cluster.root)
    declares = _declares_namespace(listing, tree, installation.namespace)
    brings = int(declares or _fills_namespace(listing, tree, installation.namespace))
    own = int(any(file in listing.files for file in installation.files)) + is_root
    return (2 * brings + int(len(for_flux) > is_root), len(for_flux) - is_root, int(bool(here)), int(declares), own)


def _destination(build: Build) -> str:
    if build.ks.target_namespace:
        return build.ks.target_namespace
    found = Counter(object.id.namespace for object in build.objects if object.id.namespace)
    return found.most_common(1)[0][0] if found else build.id.namespace


def _declares_namespace(listing: Listing, tree: Tree, namespace: str) -> bool:
    """Whether the list names the file with the Namespace."""
    id = ObjectId("", "Namespace", "", namespace)
    return any(document_of(tree, file, id) for file in listing.files if file in tree)


def _fills_namespace(listing: Listing, tree: Tree, namespace: str) -> bool:
    """Whether the list puts everything that it names into the Namespace."""
    return any(document.mapping.get("namespace") == namespace for document in documents_of(tree, listing.path))


def _home_under(directory: str, listings: tuple[Listing, ...]) -> Listing:
    wanted = clean_path(directory)
    found = next((listing for listing in listings if listing.directory == wanted), None)
    if found is None:
        raise UsageError(
            f"--place-under {directory}: no live Kustomization reads a kustomization.yaml there",
            where=wanted,
            hint="choose a directory whose kustomization.yaml Flux reads",
        )
    return found


def _model(home: Listing, neighbours: tuple[Neighbour, ...]) -> Neighbour | None:
    """The neighbour whose manners are copied: in the same list, else any that has the common shape."""
    shapes = Counter(_shapes(neighbours))
    common = shapes.most_common(1)[0][0] if shapes else None
    ranked = sorted(neighbours, key=lambda n: (n.listing != home, _shape_of(n) != common, n.file))
    return ranked[0] if ranked else None


def _shape(home: Listing, neighbours: tuple[Neighbour, ...]) -> Shape:
    here = Counter(_shapes(neighbour for neighbour in neighbours if neighbour.listing == home))
    counts = here or Counter(_shapes(neighbours))
    by_name = sorted(counts, key=lambda shape: (shape.ks_file, shape.directory))
    return max(by_name, key=counts.__getitem__, default=_DEFAULT_SHAPE)


def _shapes(neighbours: Iterable[Neighbour]) -> Iterator[Shape]:
    return filter(None, map(_shape_of, neighbours))


def _shape_of(neighbour: Neighbour) -> Shape | None:
    """How the neighbour's paths follow from one name, or None where they do not."""
    directory, path = neighbour.listing.directory, neighbour.build.ks.path
    start = directory or "."
    file = posixpath.relpath(neighbour.file, start)
    stem = posixpath.splitext(file)[0].split("/")[0]
    above = not is_below(path, directory)
    parts = (path if above else posixpath.relpath(path, start)).split("/")
    if stem not in parts or stem.startswith("."):
        return None
    parts[parts.index(stem)] = _NAME
    return Shape(file.replace(stem, _NAME, 1), "/".join(parts), above)


def _app(name: str, home: Listing, shape: Shape, ks: ObjectId, names: tuple[str, str], dotted: bool) -> AppFiles:
    ks_file = posixpath.join(home.directory, shape.ks_file.replace(_NAME, name))
    base = "" if shape.above else home.directory
    directory = posixpath.join(base, shape.directory.replace(_NAME, name))
    release, source = (posixpath.join(directory, file) for file in names)
    return AppFiles(
        ks=ks,
        ks_file=ks_file,
        entry=relative(ks_file, home.directory, dotted=dotted),
        directory=directory,
        listing=posixpath.join(directory, "kustomization.yaml"),
        release=release,
        source=source,
        manifest=posixpath.join(directory, "fluxinstance.yaml"),
    )


def _dictated(app: AppFiles, release: str) -> AppFiles:
    """The same application with its directory where the template looks for the HelmRelease."""
    directory = posixpath.dirname(release)
    files = [posixpath.join(directory, posixpath.basename(p)) for p in (app.listing, app.source, app.manifest)]
    return AppFiles(app.ks, app.ks_file, app.entry, directory, files[0], release, files[1], files[2])


def _reasons(home: Listing, model: Neighbour | None, dictate: Dictated | None) -> Iterator[str]:
    if dictate is not None:
        yield f"{dictate.where} computes the path of the HelmReleases"
    yield f"{home.path} lists the new Kustomizations"
    if model is not None:
        yield f"{model.file} is the example that they follow"


def _check(layout: Layout, cluster: Cluster, tree: Tree) -> None:
    """New files are seen by Flux, and no generated directory takes them in twice (R6, G1)."""
    generated = generated_paths(cluster, tree)
    source = cluster.sources.get(cluster.builds[layout.parent].ks.source)
    for app in (layout.operator, layout.instance):
        inside = next((path for path in sorted(generated) if _takes_in(path, app.directory, tree)), None)
        if inside is not None:
            raise UnsupportedInstallation(
                f"{app.directory} lies below {inside or 'the top'}, where Flux applies every YAML file",
                where=inside,
                hint="name another directory with --place-under, or give that directory a kustomization.yaml first",
            )
        written = tree.with_file(app.ks_file, b"").with_file(app.release, b"")
        seen = artifact(written, source.ignore if source else "")
        hidden = next((path for path in (app.ks_file, app.release) if path not in seen), None)
        if hidden is not None:
            raise UnsupportedInstallation(
                f"{hidden} would not be in the artifact of {layout.parent}'s source",
                where=hidden,
                hint="change the source's ignore rules, or name another directory with --place-under",
            )


def _takes_in(generated: str, directory: str, tree: Tree) -> bool:
    """Whether the list that Flux makes would hold the directory: no list between the two shields it."""
    if not is_below(directory, generated) or directory == generated:
        return directory == generated
    above = posixpath.dirname(directory)
    while above != generated:
        if listing_of(above, tree) is not None:
            return False
        above = posixpath.dirname(above)
    return True
