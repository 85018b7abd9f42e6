"""The settings of a session, the one source of their defaults.

    SessionConfig = StreamConfig + TrainingConfig + PageConfig + one section per learner

The command line, MLproject's parameters and MLflow's params derive from these fields
(tests/test_project.py). Each process of a session reads its part from ``<session>/config.json``:
the feed the stream's settings, the page its own, a learner its section.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from datamodules.target import LABELS, Target
from streaming.config import BarConfig, StreamConfig
from streaming.errors import ConfigError
from streaming.program.settings import Settings, flag_of, setting
from streaming.venues.registry import TAKER_FEES_BPS
from trainers.config.entries import entry_of
from trainers.config.learners import (
    BUILT_IN_SETTINGS,
    flat_name,
    section_and_setting,
    whole_section,
)

HOST_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")

AUTO = "auto"
# With more markets, MLflow's own UI would have hundreds of runs of baselines, and become slow.
MOST_WITH_BASELINES = 4
FEATURE_SETS = (AUTO, "classic", "flow", "book")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingConfig(BarConfig):
    """The settings of training: its interval and data, and the cost of trading."""

    cycle_seconds: float = setting(
        30.0, "market time from one training cycle to the next", unit="s", low=1, high=86_400
    )
    cycles: int = setting(0, "cycles until the session ends; 0: until stopped", low=0, high=10**9)
    min_ticks: int = setting(500, "ticks in the cache before the first cycle", low=1, high=10**7)
    history_bars: int = setting(
        14_400,
        "newest bars that a cycle may learn from: 4 h of 1-s bars",
        unit="bars",
        low=200,
        high=86_400,
    )
    features: str = setting(
        AUTO,
        "the CNN's input columns; auto is the richest that the source offers: book where it has"
        " quotes, else flow",
        choices=FEATURE_SETS,
    )
    label: str = setting(
        "close", "the price whose move is forecast: of the last trade, or between the quotes",
        choices=LABELS,
    )  # fmt: skip
    horizon: int = setting(
        1, "how many bars ahead forecasters forecast; they are scored, and learn, that much later",
        unit="bars", low=1, high=600,
    )  # fmt: skip
    confidence: float = setting(
        0.65, "probability from which a forecast is a trade signal", low=0.5, high=1
    )
    fee_bps: float = setting(
        -1.0, "fee of one trade as a share of its value; -1 is the venue's taker fee (of several"
        " venues the highest)", unit="bp",
        low=-1, high=1000,
    )  # fmt: skip

    @property
    def target(self) -> Target:
        """What forecasters forecast."""
        return Target(self.label, self.horizon, self.bar_seconds)

    @property
    def feature_set(self) -> str:
        """The feature set; flow where nobody has looked yet what the source offers."""
        return "flow" if self.features == AUTO else self.features

    def with_features(self, *, quotes: bool) -> Self:
        """Return the settings with the feature set for a source with or without quotes."""
        if self.features != AUTO:
            return self
        return dataclasses.replace(self, features="book" if quotes else "flow")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PageConfig(Settings):
    """The settings of the page's address."""

    page_host: str = setting(
        "127.0.0.1", "address the page listens on; other than loopback, it needs a password"
    )
    page_port: int = setting(7860, "the page's port; 0 shows none", low=0, high=65_535)
    page_names: str = setting(
        "", "host names under which a proxy serves the page, separated by commas"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        host_names(self.page_names)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SessionConfig(PageConfig, TrainingConfig, StreamConfig):
    """The settings of a session: stream, training, learners, page.

    Set a learner's own settings with --learner.NAME.SETTING VALUE.
    """

    examples: ClassVar[Sequence[str]] = (
        "make                                    the simulated market, until Ctrl-C",
        'make ARGS="--source sim:ar1"            whose best forecast is known (docs/markets.md)',
        'make ARGS="--source binance --symbols=BTCUSDT,ETHUSDT"',
        'make ARGS="--source tape:BTCUSDT-trades-2024-08-08.zip --speed 10 --cycles 20"',
        'make ARGS="--resume last"               goes on with the session before',
    )

    learners: str = setting(
        "cnn,dqn",
        "learners separated by commas: by name, as module:Class, or what an adapter wraps"
        " (river:linear_model.LogisticRegression); none records the stream only",
    )
    learner: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    log_baselines: str = setting(
        AUTO, "whether the baselines have MLflow runs of their own (the ledger has them anyway);"
        f" auto: in a session of at most {MOST_WITH_BASELINES} markets",
        choices=(AUTO, "true", "false"),
    )  # fmt: skip
    shards: int = setting(
        0, "processes that train the markets; 0: one for each core, at most 4", low=0, high=64
    )
    parity: bool = setting(
        True, "once it has ended by itself, replay the session at low priority and tag it with the"
        " result; earlier sessions that were ended by hand are replayed while it runs",
    )  # fmt: skip
    keep_days: float = setting(
        0.0, "market time after which segments of the tape are dropped from this machine's disk, so"
        " that a long session does not fill it; 0: never. Such a session cannot be replayed: it"
        " needs parity false", unit="d", low=0, high=36_500,
    )  # fmt: skip
    resume: str = setting(
        "", "resume a session: its run id, or last; its settings stay, except cycles (the total)"
        " and addresses that are given",
    )  # fmt: skip
    mlflow_ui_port: int = setting(
        5000, "port of MLflow's own UI; 0 starts none", low=0, high=65_535
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fee_bps == -1:
            fee = max(TAKER_FEES_BPS[market.venue] for market in self.markets)
            object.__setattr__(self, "fee_bps", fee)  # a frozen dataclass allows no assignment
        if self.fee_bps < 0:
            raise ConfigError(f"fee_bps: got {self.fee_bps:g}; allowed: 0 to 1000, or -1")
        if self.keep_days and self.parity:
            raise ConfigError(
                f"keep_days: got {self.keep_days:g}; a session that drops the beginning of its tape"
                " cannot be replayed: give parity false with it, or keep_days 0"
            )
        if len(set(self.learner_list)) != len(self.learner_list):
            raise ConfigError(f"learners: got {self.learners!r}; allowed: each learner once")
        sections = {name: dict(given) for name, given in self.learner.items()}
        whole = {name: whole_section(name, sections.get(name, {})) for name in BUILT_IN_SETTINGS}
        object.__setattr__(self, "learner", {**sections, **whole})

    @property
    def learner_list(self) -> list[str]:
        """The learners' names or import paths, as ``trainers.config.entries`` takes them apart."""
        if self.learners.strip() in ("", "none"):
            return []
        return [name.strip() for name in self.learners.split(",")]

    @property
    def learner_names(self) -> list[str]:
        """The learners' names, as far as their entries say them."""
        return [entry_of(entry).name for entry in self.learner_list]

    @property
    def logs_baselines(self) -> bool:
        """Whether the baselines have MLflow runs."""
        if self.log_baselines == AUTO:
            return len(self.symbol_list) <= MOST_WITH_BASELINES
        return self.log_baselines == "true"

    def phase_of(self, market: str) -> float | None:
        """Return where in each interval a market's cycles are due, as a share of the interval.

        The markets of a session share the interval out; one that is alone has no phase.
        """
        markets = self.symbol_list
        return markets.index(market) / len(markets) if len(markets) > 1 else None

    @property
    def flat(self) -> dict[str, Any]:
        """All settings by the names that MLflow and MLproject use."""
        return dict(self._flat())

    def _flat(self) -> Iterator[tuple[str, Any]]:
        for field in dataclasses.fields(self):
            if field.name != "learner":
                yield field.name, getattr(self, field.name)
                continue
            for section, settings in self.learner.items():
                for name, value in settings.items():
                    yield flat_name(section, name), value

    def changed(self, **values: Any) -> Self:
        """Return these settings with some of them changed, given by the names of ``flat``."""
        return dataclasses.replace(self, **_nested(values, self.learner))

    @classmethod
    def of(cls, **values: Any) -> Self:
        """Return settings, given by the names of ``flat``; the others have their defaults."""
        return cls(**_nested(values, {}))

    @classmethod
    def flags(cls) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for field in dataclasses.fields(cls):
            if field.name != "learner":
                found[field.name] = flag_of(field)
                continue
            for section, record in BUILT_IN_SETTINGS.items():
                for name, flag in record.flags().items():
                    found[flat_name(section, name)] = flag
        return found

    @classmethod
    def from_args(cls, argv: Sequence[str] | None = None) -> Self:
        """Parse flags; if one is wrong, print one line and exit with code 2.

        A learner's setting is ``--learner.NAME.SETTING``; a built-in learner's is also
        ``--NAME_SETTING``.
        """
        return cls.parse(argv, free=r"learner\.[^=]+\.[^.=]+")


def _nested(values: Mapping[str, Any], sections: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return a session's fields from flat names; learners' settings join those of ``sections``."""
    learner = {name: dict(settings) for name, settings in sections.items()}
    fields: dict[str, Any] = {"learner": learner}
    for name, value in values.items():
        if whose := section_and_setting(name):
            learner.setdefault(whose[0], {})[whose[1]] = value
        else:
            fields[name] = value
    return fields


def host_names(names: str) -> frozenset[str]:
    """Return the host names in a comma-separated list, in lower case.

    Raises:
        ConfigError: if one is no host name, or has a port.
    """
    found = frozenset(name.strip().lower() for name in names.split(",") if name.strip())
    for name in found:
        if not HOST_NAME.fullmatch(name):
            raise ConfigError(
                f"page_names: got {name!r}; allowed: host names without port, separated by commas"
            )
    return found


def session_folder(root: Path, session: str) -> Path:
    """Return the folder of a session's rings, tape and record, given its MLflow run id."""
    return root / "mlruns" / "sessions" / session
