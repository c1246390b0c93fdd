from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import flux_handover
from flux_handover import __version__
from flux_handover.cli import dispatch as dispatching
from flux_handover.cli.dispatch import application, wants_json
from flux_handover.cli.main import run
from flux_handover.cli.verbs import VERBS, overview
from flux_handover.errors import UsageError

SLOW_TO_IMPORT = {"cyclopts", "rich", "msgspec", "yaml", "jsonschema_rs", "lightkube", "asyncio"}


def modules_after(program: str) -> set[str]:
    """What a fresh Python has imported after a program."""
    path = str(Path(flux_handover.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {program}; print(*sys.modules)"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_help_lists_every_verb(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 0

    shown = capsys.readouterr().out
    assert [verb.name for verb in VERBS if f"  {verb.name} " not in shown] == []


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"flux-handover {__version__}\n"


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_imports_nothing_that_takes_time(argument: str) -> None:
    loaded = modules_after(f"from flux_handover.cli.main import run; run([{argument!r}])")

    assert SLOW_TO_IMPORT & loaded == set()


def test_judging_without_a_cluster_imports_no_client_of_one() -> None:
    loaded = modules_after("import flux_handover.cli.guard_writing")

    assert {"lightkube", "ssl", "asyncio"} & loaded == set()


MAIN = "import sys; sys.argv[0] = 'flux-handover'; from flux_handover.cli.main import main; main()"


@pytest.mark.parametrize(("argument", "status"), [("--version", 0), ("--verison", 2)])
def test_a_process_ends_with_its_status_and_all_that_was_printed(argument: str, status: int) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(flux_handover.__file__).parents[1])}
    environment.pop("PYTHONUNBUFFERED", None)

    done = subprocess.run([sys.executable, "-c", MAIN, argument], env=environment, capture_output=True, text=True)

    assert done.returncode == status
    assert (done.stdout or done.stderr).endswith("\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_what_cannot_be_printed_is_no_success() -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(flux_handover.__file__).parents[1])}
    environment.pop("PYTHONUNBUFFERED", None)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", MAIN, "--version"], env=environment, stdout=full, stderr=subprocess.PIPE
        )

    assert done.returncode != 0
    assert b"No space left" in done.stderr


def test_registering_verbs_imports_none_of_them() -> None:
    loaded = modules_after("from flux_handover.cli.dispatch import application; application()")

    assert {verb.place.partition(":")[0] for verb in VERBS} & loaded == set()


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_each_verb_explains_its_arguments(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([verb, "--help"]) == 0

    shown = capsys.readouterr().out
    assert shown.startswith(f"Usage: flux-handover {verb}")
    assert shown.splitlines()[2].endswith((".", ";")) or shown.splitlines()[2][0].isupper()


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS if verb.name in {"inspect", "plan", "commit"}])
def test_reading_verbs_share_their_arguments(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    run([verb, "--help"])

    shown = capsys.readouterr().out
    assert [word for word in ("PATH", "--revision", "--cluster", "--root", "--output") if word not in shown] == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_every_verb(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0

    script = capsys.readouterr().out
    assert [verb.name for verb in VERBS if verb.name not in script] == []


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["inspetc"], "inspetc", "flux-handover --help"),
        (["inspect", "--outptu", "json"], "--outptu", "flux-handover inspect --help"),
        (["inspect", "--output", "yaml"], "yaml", "flux-handover inspect --help"),
        (["completion", "ksh"], "ksh", "flux-handover completion --help"),
    ],
)
def test_words_that_do_not_parse_are_status_2(
    arguments: list[str], message: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2

    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err
    assert hint in said.err


def test_an_error_in_json_is_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", str(tmp_path), "--output", "json"]) == 2

    said = json.loads(capsys.readouterr().out)
    assert said["schema"] == "flux-handover/inspect/v1"
    assert set(said["error"]) == {"message", "where", "hint"}
    assert said["error"]["message"] == "not a Git repository"


def test_a_bug_shows_where_but_no_value(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(_: object) -> int:
        raise KeyError("hun" + "ter2")

    monkeypatch.setattr(dispatching, "_called", broken)

    assert run(["inspect"]) == 2

    said = capsys.readouterr()
    assert "test_entry.py" in said.err
    assert "KeyError" in said.err
    assert "hunter2" not in said.err + said.out


def test_control_characters_in_an_error_are_shown_not_obeyed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(_: object) -> int:
        raise UsageError("there is no \x1b[2J")

    monkeypatch.setattr(dispatching, "_called", refused)

    assert run(["inspect"]) == 2
    assert capsys.readouterr().err == "error: there is no \\x1b[2J\n"


def test_an_interrupt_is_told_in_a_word(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(dispatching, "_called", interrupted)

    assert run(["inspect"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["plan", "--output", "json"], True),
        (["plan", "--output=json"], True),
        (["plan", "--output"], False),
        (["plan", "json"], False),
    ],
)
def test_json_is_recognised_also_where_nothing_else_parses(arguments: list[str], expected: bool) -> None:
    assert wants_json(arguments) is expected


def test_the_overview_fits_a_terminal() -> None:
    assert max(len(line) for line in overview().splitlines()) <= 100


def test_every_verb_is_registered() -> None:
    assert {verb.name for verb in VERBS} <= set(application())
