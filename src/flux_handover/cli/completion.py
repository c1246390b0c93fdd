"""`completion`: the script that makes a shell complete verbs and options."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter


def completion(shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(name="SHELL", help="The shell.")]) -> int:
    """Print the completion script of a shell; it is static, so completing starts no program."""
    from flux_handover.cli.dispatch import application

    print(application().generate_completion(shell=shell), end="")
    return 0
