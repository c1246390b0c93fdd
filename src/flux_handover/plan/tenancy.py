"""What a locked down Flux asks of every object that it is to work on (rules.md R32)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from types import MappingProxyType

from flux_handover.errors import UnsupportedInstallation
from flux_handover.model.installation import Installation
from flux_handover.plan.selectors import Requirement, requirements
from flux_handover.workloads import arguments_of

DEFAULT_ACCOUNT = "--default-service-account"
WATCHED = "--watch-label-selector"


@dataclass(frozen=True, slots=True)
class Tenancy:
    """Labels that the controllers watch for, and whether objects must name an account that may do their work."""

    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    names_accounts: bool = False

    def account(self, controller: str) -> dict[str, str]:
        """The field for an object of a controller: its own account, which may do anything; empty where not asked."""
        return {"serviceAccountName": controller} if self.names_accounts else {}


def tenancy_of(installation: Installation) -> Tenancy:
    """What the arguments of the running controllers ask for."""
    arguments = tuple(chain.from_iterable(map(arguments_of, installation.live)))
    accounts = any(argument.startswith(f"{DEFAULT_ACCOUNT}=") for argument in arguments)
    labels: dict[str, str] = {}
    for argument in arguments:
        if argument.startswith(f"{WATCHED}="):
            labels.update(_satisfying(argument.partition("=")[2]))
    return Tenancy(MappingProxyType(labels), accounts)


def _satisfying(selector: str) -> Iterator[tuple[str, str]]:
    for term in requirements(selector):
        if not term.negated:
            yield term.key, _value(term)


def _value(term: Requirement) -> str:
    if not term.values:
        return "true"
    if term.values[0]:
        return term.values[0]
    raise UnsupportedInstallation(
        f"the controllers watch only objects whose label {term.key} is empty",
        hint="watch for a label with a value",
    )
