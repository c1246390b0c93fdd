"""Where a program comes from: the exact image of the user's cluster, a Go module, or a directory.

Each provider says beforehand whether it can give a program, what that would cost, and which version it
would be; `choose` takes the first that can. Nothing is downloaded or built before it is asked for.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

from flux_handover.adapters.oci import Artifact, OciClient, OciError, parse_reference, unpack
from flux_handover.adapters.sandbox.binaries.locking import locked, replacing
from flux_handover.adapters.sandbox.binaries.modules import build, built, cache_folder, cached, go_program
from flux_handover.adapters.sandbox.binaries.recipes import bundled_recipes
from flux_handover.adapters.sandbox.systems import ELSEWHERE
from flux_handover.errors import SandboxError
from flux_handover.objects import listed, mapping

UNKNOWN = "unknown"
VERSIONED = re.compile(r"(.+)-(v\d+\.\d+\.\d+[^/]*)")
OWN_IMAGE = re.compile(r"ghcr\.io/fluxcd/([a-z-]+-controller)[:@].+")
SEARCHED = ("usr/local/bin", "usr/bin", "bin", "")


class State(Enum):
    """What it takes to have a program."""

    READY = "ready"
    OBTAINABLE = "obtainable"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a provider can give a program: at which version, in how long, and why not."""

    program: str
    provider: str
    state: State
    version: str = UNKNOWN
    seconds: int = 0
    megabytes: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Program:
    """A program that can be run, and what is known of it."""

    name: str
    version: str
    path: Path
    provider: str


class Provider(Protocol):
    """A place that programs come from."""

    def availability(self, name: str) -> Availability:
        """Whether it can give a program; asks nobody."""
        ...

    def obtain(self, name: str) -> Program:
        """The program, downloaded or built now if need be."""
        ...


class Modules:
    """Programs built from Go modules by the bundled recipes."""

    def __init__(self, cache: Path | None = None, *, jobs: int = 2) -> None:
        self._cache = cache or cache_folder()
        self._jobs = jobs
        self._recipes = bundled_recipes()

    def availability(self, name: str) -> Availability:
        """Whether it is built, or could be; the time is that of two idle cores."""
        recipe = self._recipes.get(name)
        if recipe is None:
            return Availability(name, "modules", State.MISSING, reason="no recipe builds it")
        if found := cached(recipe, self._cache):
            taken = built(found.parent)
            size = size_of(found.parent)
            return Availability(
                name, "modules", State.READY, recipe.version, round(taken.seconds) if taken else 0, size
            )
        if go_program() is None:
            return Availability(name, "modules", State.MISSING, recipe.version, reason="Go is not installed")
        return Availability(name, "modules", State.OBTAINABLE, recipe.version, recipe.seconds, recipe.megabytes)

    def obtain(self, name: str) -> Program:
        """The program, built now if the cache lacks it."""
        if name not in self._recipes:
            raise SandboxError(f"no recipe builds {name}")
        recipe = self._recipes[name]
        return Program(name, recipe.version, build(recipe, self._cache, jobs=self._jobs), "modules")


class Directory:
    """Programs that someone put into a folder, as `<name>` or `<name>-<version>/<name>`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def availability(self, name: str) -> Availability:
        """Whether the folder has it."""
        found = self._find(name)
        if found is None:
            return Availability(name, "directory", State.MISSING, reason=f"{self._folder} has no {name}")
        return Availability(name, "directory", State.READY, found.version, megabytes=size_of(found.path.parent))

    def obtain(self, name: str) -> Program:
        """The program in the folder."""
        found = self._find(name)
        if found is None:
            raise SandboxError(f"the directory has no program {name}", where=str(self._folder))
        return found

    def _find(self, name: str) -> Program | None:
        for path in (self._folder / name, *sorted(self._folder.glob(f"{name}-v*/{name}"), reverse=True)):
            if path.is_file() and os.access(path, os.X_OK):
                match = VERSIONED.fullmatch(path.parent.name)
                version = match[2] if match and match[1] == name else UNKNOWN
                return Program(name, version, path.resolve(), "directory")
        return None


class Installed:
    """Programs of the machine itself, as a person's shell finds them: a person would use the same."""

    def availability(self, name: str) -> Availability:
        """Whether the machine has it."""
        found = shutil.which(name)
        if found is None:
            return Availability(name, "installed", State.MISSING, reason="it is not installed")
        return Availability(name, "installed", State.READY)

    def obtain(self, name: str) -> Program:
        """The program of the machine."""
        found = shutil.which(name)
        if found is None:
            raise SandboxError(f"{name} is not installed")
        return Program(name, UNKNOWN, Path(found), "installed")


class Images:
    """The very images that a cluster runs, by digest, unpacked without a container runtime.

    `images` says which image gives which program; the digest makes it the user's own.
    """

    def __init__(self, images: Mapping[str, str], cache: Path | None = None) -> None:
        self._images = images
        self._cache = (cache or cache_folder()).with_name("images")

    def availability(self, name: str) -> Availability:
        """Whether an image is named for it, and whether it was unpacked before."""
        if name not in self._images:
            return Availability(name, "images", State.MISSING, reason="no image is named for it")
        reference = parse_reference(self._images[name])
        version = reference.tag or UNKNOWN
        if not reference.digest:
            return Availability(name, "images", State.MISSING, version, reason="its image has no digest")
        found = program_in(self._folder(reference.digest), name)
        state = State.READY if found else State.OBTAINABLE
        return Availability(name, "images", state, version, seconds=0 if found else 20, megabytes=100)

    def obtain(self, name: str) -> Program:
        """The program of the image, pulled and unpacked now if need be."""
        available = self.availability(name)
        if available.state is State.MISSING:
            raise SandboxError(f"no image gives {name}", hint=available.reason)
        reference = parse_reference(self._images[name])
        folder = self._folder(reference.digest)
        with locked(folder):
            if not folder.is_dir():
                with OciClient() as client, replacing(folder) as draft:
                    image = client.pull(reference)
                    unpack(image.layers, draft)
                    check_entry(image, draft, name)
        path = program_in(folder, name)
        if path is None:
            raise SandboxError(f"the image holds no program {name}", where=str(reference))
        return Program(name, available.version, path, "images")

    def _folder(self, digest: str) -> Path:
        return self._cache / digest.removeprefix("sha256:")


def check_entry(image: Artifact, folder: Path, name: str) -> None:
    """Raises OciError where an image's own entry point does not run the program we take it for."""
    config = mapping(image.config.get("config"))
    words = [*listed(config.get("Entrypoint")), *listed(config.get("Cmd"))]
    if not any(str(word).rpartition("/")[2] == name for word in words) or program_in(folder, name) is None:
        raise OciError(
            f"the image does not run {name}", hint=f"its entry point is {' '.join(map(str, words)) or 'empty'}"
        )


def program_in(folder: Path, name: str) -> Path | None:
    """A program in an unpacked image, wherever images put programs."""
    for place in SEARCHED:
        path = folder / place / name
        if path.is_file() and os.access(path, os.X_OK):
            return path
    return None


def of_images(images: Iterable[str], cache: Path | None = None) -> Mapping[str, Program]:
    """The controllers of Flux's own images, by name, as far as the registry gives them now.

    What they hold is run as we are, and a repository may name any image: so only Flux's own host counts.
    """
    found: dict[str, Program] = {}
    for image in images if sys.platform == "linux" else ():
        name = OWN_IMAGE.match(image)
        if name is not None:
            with suppress(OciError, SandboxError):
                found[name[1]] = Images({name[1]: pinned(image)}, cache).obtain(name[1])
    return found


def pinned(image: str) -> str:
    """An image with the digest that its tag has now."""
    reference = parse_reference(image)
    if reference.digest:
        return image
    with OciClient() as client:
        return f"{image}@{client.resolve(reference)}"


def choose(names: Iterable[str], providers: Sequence[Provider]) -> Mapping[str, Program]:
    """Every program from the first provider that can give it; one that has it ready comes first."""
    return {name: best(name, providers).obtain(name) for name in names}


def best(name: str, providers: Sequence[Provider]) -> Provider:
    """The provider to take a program from; raises SandboxError, with every reason, where there is none."""
    offers = [(provider, provider.availability(name)) for provider in providers]
    for provider, offer in offers:
        if offer.state is not State.MISSING:
            return provider
    reasons = "; ".join(f"{offer.provider}: {offer.reason}" for _, offer in offers)
    raise SandboxError(f"nothing gives the program {name}", hint=f"{reasons}; or {ELSEWHERE}")


def paths(programs: Mapping[str, Program]) -> Mapping[str, Path]:
    """The files of programs, by name."""
    return {name: program.path for name, program in programs.items()}


def size_of(folder: Path) -> int:
    """The megabytes of a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) >> 20
