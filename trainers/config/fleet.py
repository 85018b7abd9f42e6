"""The settings of a fleet: those of a session, and the cluster on which it runs."""

from __future__ import annotations

import dataclasses

from streaming.errors import ConfigError
from streaming.program.settings import setting
from trainers.config.session import SessionConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class FleetConfig(SessionConfig):
    """The settings of a fleet.

    Set a learner's own settings with --learner.NAME.SETTING VALUE.
    """

    address: str = setting(
        "", "the Ray cluster to run on, HOST:PORT; none starts Ray on this machine, for it alone"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.waits:
            raise ConfigError(
                f"source: got {self.source!r} at speed {self.speed:g}; a fleet follows markets that"
                " do not wait for their trainers: a venue, or sim at speed 1 or less"
            )
