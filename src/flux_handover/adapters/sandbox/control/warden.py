"""The parent of every process of a sandbox: when its own parent is gone, so is all it started.

Run as a script, with nothing but the standard library: `warden.py FOLDER`. Orders come as JSON
lines on standard input, answers go as JSON lines to standard output. When standard input ends,
for whatever reason (a clean end, a crash, `kill -9` of the program), every process group is killed
and FOLDER is removed, unless an order said to keep it. While it lives it holds a lock in FOLDER, so that whoever comes
later knows a folder whose warden was killed from one in use. It is single-threaded, so that
what runs between fork and exec is safe, and every child also dies with it (Linux).
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Any

PR_SET_PDEATHSIG = 1
LOCK, KEPT = "warden.lock", "kept"


def die_with_parent() -> None:
    """Asks Linux to kill this process when the warden dies; other systems have no such request."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Warden:
    """The processes of one sandbox, by the number that the client gave each."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.keeps = False
        self.lock = os.open(os.path.join(folder, LOCK), os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.children: dict[int, subprocess.Popen[bytes]] = {}

    def obey(self, order: dict[str, Any]) -> None:
        """Carries out one order."""
        if "spawn" in order:
            self.spawn(order)
        elif "signal" in order:
            self.signal(order["id"], order["signal"])
        else:
            self.keeps = bool(order["keep"])
            with open(os.path.join(self.folder, KEPT), "ab"):
                pass

    def spawn(self, order: dict[str, Any]) -> None:
        """Starts a process in a group of its own, its output appended to a log."""
        try:
            with open(order["log"], "ab") as log:
                child = subprocess.Popen(
                    order["spawn"],
                    cwd=order["folder"],
                    env=order["environment"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    preexec_fn=die_with_parent,
                )
        except OSError as error:
            answer({"id": order["id"], "error": f"{error.strerror}: {error.filename}"})
            return
        self.children[order["id"]] = child
        answer({"id": order["id"], "pid": child.pid})

    def signal(self, id: int, number: int) -> None:
        """Signals a whole process group; one that is gone needs no signal."""
        child = self.children.get(id)
        if child is not None and child.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, number)

    def reap(self) -> None:
        """Tells which processes have ended."""
        for id, child in list(self.children.items()):
            if child.poll() is not None:
                del self.children[id]
                answer({"id": id, "exit": child.returncode})

    def end(self) -> None:
        """Kills everything, and removes the folder unless it is to be kept."""
        for id in self.children:
            self.signal(id, signal.SIGKILL)
        for child in self.children.values():
            child.wait()
        if not self.keeps:
            shutil.rmtree(self.folder, ignore_errors=True)


def answer(line: dict[str, Any]) -> None:
    """One line to the client, who may be gone."""
    with suppress(OSError):
        sys.stdout.buffer.write(json.dumps(line).encode() + b"\n")
        sys.stdout.buffer.flush()


def watched() -> tuple[selectors.BaseSelector, int]:
    """A selector over standard input and over a pipe that becomes readable when a child ends."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if hasattr(os, "pipe2") else os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    selector = selectors.DefaultSelector()
    selector.register(0, selectors.EVENT_READ)
    selector.register(reader, selectors.EVENT_READ)
    return selector, reader


def serve(warden: Warden) -> None:
    """Obeys until standard input ends."""
    selector, ended = watched()
    rest = b""
    while True:
        for key, _ in selector.select():
            if key.fd == ended:
                os.read(ended, 4096)
                continue
            received = os.read(0, 1 << 20)
            if not received:
                return
            *lines, rest = (rest + received).split(b"\n")
            for line in lines:
                warden.obey(json.loads(line))
        warden.reap()


def main() -> None:
    """Runs until the client is gone; an interrupt from the terminal is the client's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    warden = Warden(sys.argv[1])
    try:
        serve(warden)
    finally:
        warden.end()


if __name__ == "__main__":
    main()
