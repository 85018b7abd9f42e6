"""The settings of a backtest: those of a session, a span of time, and a number of processes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Self

from streaming.errors import ConfigError
from streaming.program.settings import setting
from streaming.ticks import FOR_EVER, NS_PER_S
from trainers.config.session import SessionConfig

# Settings of a session that a backtest has no use for; it has no page, venue or wall clock.
WITHOUT = (
    "venue_ws", "venue_rest", "channel", "speed", "bar_ring", "backfill_seconds", "stale_seconds",
    "segment_seconds", "page_host", "page_port", "page_names", "parity", "keep_days",
    "resume",
    "mlflow_ui_port",
)  # fmt: skip

# Their names as flags, which Python does not allow as names.
FLAGS = {"since": "from", "until": "to"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class BacktestConfig(SessionConfig):
    """The settings of a backtest.

    Set a learner's own settings with --learner.NAME.SETTING VALUE.
    """

    examples: ClassVar[Sequence[str]] = (
        "python -m trainers.research.backtest --source tape:DAYS --from 2024-01-01 --to 2024-02-01",
        "mlflow run . --env-manager local -e backtest -P source=tape:DAYS -P symbols=BTCUSDT",
    )

    since: str = setting("", "the earliest time of the tape to use, UTC: 2024-01-31 or with a time")
    until: str = setting("", "the time of the tape to end before")
    cuts: str = setting(
        "", "run id of the session that has recorded this tape: begin cycles, and take bars within"
        " them, where it did",
    )  # fmt: skip
    workers: int = setting(
        0, "processes at once, each with a market; 0: one a core; the results are the same bits",
        low=0, high=256,
    )  # fmt: skip

    # What is not taken, and which fields have other names as flags.
    without: ClassVar[tuple[str, ...]] = WITHOUT
    flag_names: ClassVar[dict[str, str]] = FLAGS

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.source.startswith("tape:") and not self.resume:
            raise ConfigError(f"source: got {self.source!r}; allowed: tape:PATH")
        for field in dataclasses.fields(SessionConfig):
            value = getattr(self, field.name)
            if field.name in self.without and value != field.default:
                raise ConfigError(f"{field.name}: got {value!r}; a backtest has no use for it")
        if self.cuts and self.since:
            raise ConfigError(
                f"from: got {self.since!r}; with cuts the tape begins at its beginning"
            )
        first, stop = self.span
        if first >= stop:
            raise ConfigError(f"to: got {self.until!r}; allowed: later than from, {self.since!r}")

    @property
    def span(self) -> tuple[int, int]:
        """The first event time that is used and the first behind, ns."""
        return _time("from", self.since, 0), _time("to", self.until, FOR_EVER)

    def for_record(self) -> SessionConfig:
        """Return the settings that the record keeps."""
        names = {field.name for field in dataclasses.fields(SessionConfig)}
        kept = {name: getattr(self, name) for name in names}
        return SessionConfig(**{**kept, "page_port": 0, "mlflow_ui_port": 0})

    @classmethod
    def flags(cls) -> dict[str, dict[str, Any]]:
        found = super().flags().items()
        return {
            cls.flag_names.get(name, name): flag for name, flag in found if name not in cls.without
        }

    @classmethod
    def names(cls) -> dict[str, str]:
        """Return the fields' names by their flags, of those that differ."""
        return {flag: name for name, flag in cls.flag_names.items()}

    @classmethod
    def group_of(cls, name: str) -> str:
        return super().group_of(cls.names().get(name, name))

    @classmethod
    def of(cls, **values: Any) -> Self:
        """Return settings, given by their flags; the others have their defaults."""
        return super().of(**{cls.names().get(flag, flag): value for flag, value in values.items()})

    @classmethod
    def from_args(cls, argv: Sequence[str] | None = None) -> Self:
        """Parse flags; if one is wrong, print one line and exit with code 2."""
        return super().from_args(argv)


def _time(name: str, text: str, default: int) -> int:
    """Return a UTC time in ns."""
    if not text:
        return default
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"{name}: got {text!r}; allowed: a date or a time, UTC, as 2024-01-31 or"
            " 2024-01-31T12:30:00"
        ) from None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return round(found.timestamp()) * NS_PER_S
