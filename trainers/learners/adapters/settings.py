"""The settings of adapters, beside those of what they wrap. Imports no library."""

from __future__ import annotations

import dataclasses

from streaming.program.settings import Settings, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class InputSettings(Settings):
    """What any adapter's model sees."""

    features: str = setting(
        "auto", "its inputs: a feature set (classic, flow, book), auto for the session's, or"
        " module:function, from bars to rows",
    )  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class EstimatorSettings(InputSettings):
    """Settings of a classifier of river, scikit-learn, LightGBM or XGBoost."""

    past_bars: int = setting(
        3600, "newest bars that a cycle may learn from: 1 h", unit="s", low=60, high=86_400
    )
    refit_cycles: int = setting(
        0, "cycles from one fit to the next; 0: each cycle where it has partial_fit, else 10",
        low=0, high=10_000,
    )  # fmt: skip
    standardise: bool = setting(
        True, "whether columns are standardised by their past, and cut at 5 standard deviations"
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class TorchSettings(InputSettings):
    """Settings of a PyTorch or Lightning module."""

    past_bars: int = setting(
        3600, "newest bars that a cycle may learn from: 1 h", unit="s", low=60, high=86_400
    )
    updates: int = setting(20, "gradient steps per cycle", low=1, high=100_000)
    batch_size: int = setting(128, "rows per gradient step", low=1, high=100_000)
    learning_rate: float = setting(
        1e-3, "Adam step size; a LightningModule has its own optimiser", low=1e-7, high=1
    )
