"""The requests of operators: passed from the session's run to all trainers, carried out once.

    tag control/NAME of the session's run -> relay -> controls.jsonl -> every trainer -> markets

The trainer that has the session's first market relays and answers them. A request stays in its tag
until it is answered in the tag ``control_result/NAME``. Each market logs the numbers of the
requests that it has carried out, so a kill neither loses a request nor carries one out twice.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from trainers.names import CONTROL, CONTROL_RESULT
from trainers.recording.files import CONTROLS, append_line, entry_of

LOST = "remove it; requests that were not carried out yet are lost"


class _Line(msgspec.Struct):
    """A line of the file: a request, or the number of one that was answered."""

    answered: int = 0
    seq: int = 0
    name: str = ""
    value: str = ""


class ControlRequest(NamedTuple):
    """An operator's request.

    Attributes:
        seq: the request's number in the session, from 1.
        name: the control's name; it may be unknown.
        value: the control's argument, as it was given.
    """

    seq: int
    name: str
    value: str


class ControlFile:
    """The file of a session's requests. One process appends, all read; threads may share it.

    Args:
        session: the session's folder.
    """

    def __init__(self, session: Path) -> None:
        self._path = session / CONTROLS
        self._lock = threading.Lock()
        self._read = 0  # bytes of the file that were read
        self._requests: dict[int, ControlRequest] = {}
        self._answered: set[int] = set()

    def relay(self, tags: Mapping[str, str]) -> None:
        """Append the requests among a run's tags that are not in the file yet."""
        with self._lock:
            self._look()
            open_ = {(request.name, request.value) for request in self._requests.values()
                     if request.seq not in self._answered}  # fmt: skip
            for tag, value in tags.items():
                name = tag.removeprefix(CONTROL)
                if tag.startswith(CONTROL) and (name, value) not in open_:
                    seq = max(self._requests, default=0) + 1
                    self._append({"seq": seq, "name": name, "value": value, "ts": time.time()})
                    self._look()

    def requests(self) -> list[ControlRequest]:
        """Return the requests that are not answered yet, oldest first."""
        with self._lock:
            self._look()
            return [request for seq, request in self._requests.items() if seq not in self._answered]

    def after(self, seq: int) -> list[ControlRequest]:
        """Return the requests with a number above ``seq``, answered or not, oldest first."""
        with self._lock:
            self._look()
            return [request for request in self._requests.values() if request.seq > seq]

    def answered(self, request: ControlRequest) -> None:
        """Mark a request as answered."""
        with self._lock:
            self._append({"answered": request.seq})
            self._look()

    def _append(self, entry: Mapping[str, object]) -> None:
        append_line(self._path, json.dumps(entry).encode())

    def _look(self) -> None:
        if not self._path.exists() or os.stat(self._path).st_size == self._read:
            return
        with self._path.open("rb") as file:
            file.seek(self._read)
            *lines, rest = file.read().split(b"\n")
            self._read = file.tell() - len(rest)
        for line in lines:
            entry = entry_of(self._path, line, _Line, LOST)
            if entry.answered:
                self._answered.add(entry.answered)
            else:
                self._requests[entry.seq] = ControlRequest(entry.seq, entry.name, entry.value)


def control_result(request: ControlRequest, cycle: int, result: str, text: str) -> dict[str, str]:
    """Return the tag that answers a request.

    Args:
        request: the request.
        cycle: the newest cycle that had begun.
        result: ``applied`` or ``refused``.
        text: the result in words.
    """
    found = {
        "value": request.value,
        "cycle": cycle,
        "result": result,
        "text": text,
        "ts": time.time(),
    }
    return {f"{CONTROL_RESULT}{request.name}": json.dumps(found)}
