"""What has travelled of a market, as the artifact store has it: which parts, and their bytes."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import msgspec

from streaming.errors import reason_of
from streaming.symbols import file_name
from trainers.recording.errors import RecordError
from trainers.recording.files import RECORD
from trainers.recording.travel.parts import (
    BASE,
    Base,
    ByteSpan,
    PartPiece,
    file_and_offset,
    part_name,
    pieces,
)
from trainers.tracking.stores.artifacts import ArtifactStoreError
from trainers.tracking.travel.objects import Objects

EPOCH_FOLDER = f"{RECORD}/epochs"
MOST_LISTINGS = 20  # a holder writes once a second, and ends once it finds that it was replaced
READ_AT_ONCE = 8  # parts: a day of a market has hundreds, and a store elsewhere answers in 20 ms


def prefix_of(market: str, epoch: int) -> str:
    """Return what the keys of a market's epoch begin with.

    >>> prefix_of("BTC/USDT", 3)
    'record/epochs/BTC=2FUSDT/000003'
    """
    return f"{EPOCH_FOLDER}/{file_name(market)}/{epoch:06d}"


def base_in(objects: Objects, prefix: str) -> Base:
    """Return the beginning of an epoch, given what its keys begin with.

    Raises:
        RecordError: if the store has none, or a damaged one.
    """
    key = f"{prefix}/{BASE}"
    try:
        return msgspec.json.decode(objects.get(key) or b"", type=Base)
    except (ValueError, RecursionError) as e:
        raise RecordError(
            f"{key}: expected the beginning of an epoch in the artifact store ({reason_of(e)});"
            " restore it there, or begin another session"
        ) from e


class Travelled(NamedTuple):
    """What the store has of a market's growing files at one moment.

    Attributes:
        market: its symbol.
        bases: the beginnings of its epochs.
        parts: the parts of each file, by epoch.
    """

    market: str
    bases: dict[int, Base]
    parts: dict[str, dict[int, list[ByteSpan]]]

    @property
    def newest(self) -> int:
        """The newest epoch that has begun; 0 if there is none."""
        return max(self.bases, default=0)

    def size(self, file: str, since: int = 0) -> int:
        """Return up to which byte a file is there without a hole, from byte ``since`` on."""
        return max((piece.stop for piece in self._pieces(file, since)), default=since)

    def has_later(self, file: str, since: int) -> bool:
        """Return whether the newest epoch has bytes of a file, but those only behind a hole."""
        newest = self.parts.get(file, {}).get(self.newest, [])
        return self.size(file, since) == since and any(span.start > since for span in newest)

    def read(self, objects: Objects, file: str, since: int = 0) -> bytes:
        """Return a file's bytes from ``since`` on.

        They may end earlier than ``size``: of a part that its reader cannot get whole, what is
        there counts, up to the first byte that is missing.
        """

        def get(piece: PartPiece) -> bytes:
            key = f"{prefix_of(self.market, piece.epoch)}/{part_name(file, piece.offset)}"
            data = objects.get(key) or b""
            return data[piece.start - piece.offset : piece.stop - piece.offset]

        wanted, found = self._pieces(file, since), b""
        with ThreadPoolExecutor(READ_AT_ONCE) as pool:
            for piece, data in zip(wanted, pool.map(get, wanted), strict=True):
                found += data
                if len(found) < piece.stop - since:
                    break
        return found

    def _pieces(self, file: str, since: int) -> list[PartPiece]:
        return pieces(file, self.bases, self.parts.get(file, {}), since)


def travelled(objects: Objects, market: str, known: Mapping[int, Base] | None = None) -> Travelled:
    """Return what the store has of a market.

    Args:
        objects: the objects of the session's run.
        market: its symbol.
        known: beginnings of epochs that were read before; they never change.
    """
    bases = dict(known or {})
    parts: dict[str, dict[int, list[ByteSpan]]] = {}
    for key, size in objects.sizes(f"{EPOCH_FOLDER}/{file_name(market)}").items():
        number, _, name = key.partition("/")
        epoch = int(number)
        if name == BASE and epoch not in bases:
            bases[epoch] = base_in(objects, prefix_of(market, epoch))
        elif part := file_and_offset(name):
            span = ByteSpan(part[1], part[1] + size)
            parts.setdefault(part[0], {}).setdefault(epoch, []).append(span)
    return Travelled(market, bases, parts)


def travelled_at_once(objects: Objects, found: Travelled) -> Travelled:
    """Return what the store has of a market at one moment, though its holder may still write.

    A listing takes a while: it may have the old size of one file and the new one of another that
    refers to it. Sizes only grow, so what two listings agree on is what was there between them.

    Args:
        objects: the objects of the session's run.
        found: a listing of the market; what was read since is older than what is returned.

    Raises:
        ArtifactStoreError: if no two agree.
    """
    for _ in range(MOST_LISTINGS):
        before, found = found, travelled(objects, found.market, found.bases)
        if found == before:
            return found
    raise ArtifactStoreError(
        f"{found.market}: its record in the artifact store was another at each of {MOST_LISTINGS}"
        " looks; whoever had the market still writes it: try again"
    )
