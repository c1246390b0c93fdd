"""The errors that stop the program: what happened, where, and what to do.

* HandoverError
  + UsageError              the arguments do not fit the repository
  + UnreadableRepository    the repository cannot be read at all
  + EngineError             the Go engine is missing, of another version, or died
  + UnsupportedInstallation a plan for this Flux is refused, with the reason
  + SandboxError            the disposable control plane cannot run here
  + ClusterError            the API server refused or did not answer

What is wrong *in* a repository is a Finding, not an error; anything else is a bug.
"""


class HandoverError(Exception):
    """Something the user must change: `message` says what, `where` the place, `hint` the next step."""

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        step = f"\nhint: {self.hint}" if self.hint else ""
        return f"{place}{self.message}{step}"


class UsageError(HandoverError):
    """Arguments that do not fit the repository."""


class UnreadableRepository(HandoverError):
    """A repository, revision or file that prevents reading."""


class EngineError(HandoverError):
    """The engine is missing, speaks another version, died, or did not answer in time."""


class UnsupportedInstallation(HandoverError):
    """An installation for which no plan can be made, with the smallest change that lifts it."""


class SandboxError(HandoverError):
    """The disposable control plane cannot be built or run here."""


class ClusterError(HandoverError):
    """The API server refused a request, or did not answer."""
