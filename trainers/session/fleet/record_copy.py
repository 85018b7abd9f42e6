"""Copies of all markets' records in the session's folder, for who looks at the session there."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

from streaming.errors import reason_of
from trainers.config import SessionConfig
from trainers.recording.errors import RecordError
from trainers.recording.travel.local_record import News
from trainers.tracking.store import STORE_ERRORS
from trainers.tracking.travel.market_mirror import MarketMirror
from trainers.tracking.travel.objects import Objects

NOTHING: Mapping[str, News] = {}


class RecordCopy:
    """Follows the records of a session's markets; nobody waits for it.

    Args:
        objects: the objects of the session's run.
        session: the session's folder.
        config: the session's settings.
    """

    def __init__(self, objects: Objects, session: Path, config: SessionConfig) -> None:
        markets = config.symbol_list
        self._mirrors = {
            name: MarketMirror(objects, session, name, config, first=name == markets[0])
            for name in markets
        }
        self._waits = False

    def sizes(self) -> dict[str, dict[str, int]]:
        """Return by market the bytes that each copy has."""
        return {name: mirror.sizes() for name, mirror in self._mirrors.items()}

    def go(self, news: Mapping[str, News] = NOTHING) -> str:
        """Bring the copies up to date: of each market by the news, or by what the store has.

        Args:
            news: what the markets' machines have sent.

        Returns:
            What is to be said: that the store has ceased to answer, or answers again; else "".
        """
        why: Exception | None = None
        for name, mirror in self._mirrors.items():
            try:
                if name not in news or not mirror.add(news[name]):
                    mirror.go()
            except RecordError as e:  # of this market; most often the next look finds what it lacks
                why = why or e
            except (*STORE_ERRORS, OSError) as e:
                why = e
                break
        waited, self._waits = self._waits, why is not None
        if why is not None:
            return "" if waited else f"the copy of the record waits: {reason_of(why)}"
        return "the copy of the record goes on" if waited else ""

    def close(self) -> None:
        """Copy what only a whole record needs, as far as the store answers; let go of the files."""
        for mirror in self._mirrors.values():
            with contextlib.suppress(*STORE_ERRORS, OSError, RecordError):
                mirror.copy_the_rest()
            mirror.close()
