"""The shards of a fleet, as the tag ``fleet`` of the session's run has them. Pure."""

from __future__ import annotations

import msgspec

from ui.views.view_model import ViewModel


class ShardRow(msgspec.Struct):
    """A shard: its number from 1, where it runs, and its markets."""

    shard: int
    node: str
    host: str
    markets: str
    epochs: str
    since: str


class FleetTag(msgspec.Struct):
    """What the head of a fleet has written: its shards, and where they went, newest first."""

    shards: list[ShardRow] = []
    moves: list[str] = []


def fleet(tag: str | None) -> ViewModel:
    """Return the view model of a fleet's table; without shards where the session is no fleet.

    >>> fleet(None).whole
    {'fleet': {'shards': [], 'moves': []}}
    """
    try:
        found = msgspec.json.decode(tag or "{}", type=FleetTag)
    except msgspec.DecodeError:  # somebody else's tag of that name
        found = FleetTag()
    return ViewModel(whole={"fleet": msgspec.to_builtins(found)})
