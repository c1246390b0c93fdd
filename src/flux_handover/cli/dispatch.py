"""From words to a verb, and from whatever goes wrong to a message and exit status 2.

A HandoverError says what the user must change; what the parser refuses is one too. Anything else is a bug:
its traceback is shown without the message of the exception, which may quote a Secret.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from flux_handover import __version__
from flux_handover.cli.verbs import TITLE, VERBS
from flux_handover.errors import HandoverError, UsageError

COULD_NOT_RUN = 2
INTERRUPTED = 130


def application() -> App:
    """The parser, with every verb registered and none imported."""
    app = App(
        name="flux-handover",
        help=TITLE,
        version=__version__,
        help_flags=("--help", "-h"),
        help_format="plaintext",
        help_formatter="plain",
        result_action="return_value",
    )
    for verb in VERBS:
        app.command(verb.place, name=verb.name)
    return app


def dispatch(arguments: Sequence[str]) -> int:
    """The exit status of a verb."""
    try:
        return int(_called(arguments) or 0)
    except HandoverError as error:
        return failed(arguments, error)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader went away, as `head` does; nothing more can be written, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return COULD_NOT_RUN
    except Exception as error:
        return _broken(arguments, error)


def _called(arguments: Sequence[str]) -> int | None:
    try:
        result: int | None = application()(list(arguments), exit_on_error=False, print_error=False)
    except CycloptsError as error:
        verb = f" {arguments[0]}" if arguments[0] in {verb.name for verb in VERBS} else ""
        raise UsageError(_said(error), hint=f"see flux-handover{verb} --help") from error
    return result


def _said(error: CycloptsError) -> str:
    sentence = " ".join(str(error).split()).rstrip(".")
    return sentence[:1].lower() + sentence[1:]


def failed(arguments: Sequence[str], error: HandoverError) -> int:
    """Report why the tool could not run: as JSON where JSON was asked for, else on stderr."""
    if wants_json(arguments):
        from flux_handover.report.shapes.common import encoded, failure_report

        print(encoded(failure_report(arguments[0], error)), end="")
    else:
        from flux_handover.report.escaping import printable

        print(f"error: {printable(str(error))}", file=sys.stderr)
    return COULD_NOT_RUN


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether the words ask for JSON, also where they cannot be parsed."""
    pairs = zip(arguments, (*arguments[1:], ""), strict=True)
    return any(word == "--output=json" or (word == "--output" and value == "json") for word, value in pairs)


def _broken(arguments: Sequence[str], error: Exception) -> int:
    kind = type(error).__name__
    print("".join(traceback.format_tb(error.__traceback__)), end="", file=sys.stderr)
    print(f"{kind} (its message is withheld: it may quote a Secret)", file=sys.stderr)
    hint = "report it with the traceback, the version and the command"
    return failed(arguments, HandoverError(f"a bug in flux-handover: {kind}", hint=hint))
