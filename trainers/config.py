"""Every knob of a session: one frozen record, one source of defaults.

The command line, MLproject's parameters and MLflow's params derive from these fields
(tests/test_mlproject.py), and each process of a session reads the record from
``<session>/config.json``.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from streaming.config import StreamConfig
from streaming.errors import KnobError
from streaming.knobs import knob

FEATURE_SETS = ("classic", "flow")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SessionConfig(StreamConfig):
    """Settings of one session: the stream, the cycle, the learners, the page."""

    cycle_seconds: float = knob(
        30.0, "market time from one training cycle to the next", unit="s", low=1, high=86_400
    )
    cycles: int = knob(0, "end after so many cycles; 0 runs until stopped", low=0, high=10**9)
    min_ticks: int = knob(500, "ticks in the cache before the first cycle", low=1, high=10**7)
    history_bars: int = knob(
        3600, "newest bars that a cycle may learn from", unit="s", low=200, high=86_400
    )
    learners: str = knob(
        "cnn,dqn",
        "learners separated by commas, by name or as module:Class; none records the stream only",
    )
    features: str = knob(
        "flow",
        "the CNN's input columns; flow scored better on the real tapes",
        choices=FEATURE_SETS,
    )
    confidence: float = knob(
        0.65, "probability from which a forecast is a trade signal", low=0.5, high=1
    )
    fee_bps: float = knob(1.0, "cost of one trade, of its value", unit="bp", low=0, high=1000)

    cnn_learning_rate: float = knob(3e-4, "AdamW step size of the CNN", low=1e-7, high=1)
    cnn_epochs: int = knob(1, "passes over the windows a cycle", low=1, high=1000)
    cnn_batch_size: int = knob(256, "windows an update", low=1, high=100_000)
    cnn_weight_decay: float = knob(0.1, "AdamW weight decay of the CNN", low=0, high=10)

    dqn_learning_rate: float = knob(1e-3, "Adam step size of the DQN", low=1e-7, high=1)
    dqn_updates: int = knob(400, "gradient steps a cycle", low=1, high=100_000)
    dqn_batch_size: int = knob(64, "transitions an update", low=1, high=100_000)
    dqn_gamma: float = knob(0.95, "discount factor a bar", low=0, high=0.9999)
    dqn_tau: float = knob(
        0.4, "Polyak step of the target network, made every 50 updates", low=0, high=1
    )
    dqn_memory: int = knob(100_000, "transitions kept for replay", low=100, high=10**8)
    dqn_epsilon_decay: float = knob(
        0.9, "factor on epsilon (chance of a random action in a training episode) a cycle",
        low=0, high=1,
    )  # fmt: skip
    dqn_epsilon_min: float = knob(0.05, "where epsilon stops falling", low=0, high=1)

    page_host: str = knob("127.0.0.1", "address the page listens on")
    page_port: int = knob(7860, "the page's port; 0 shows none", low=0, high=65_535)
    mlflow_ui_port: int = knob(5000, "port of MLflow's own UI; 0 starts none", low=0, high=65_535)

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(set(self.learner_list)) != len(self.learner_list):
            raise KnobError(f"learners: got {self.learners!r}; allowed: each learner once")

    @property
    def learner_list(self) -> list[str]:
        """The learners' names or import paths, one an element."""
        if self.learners.strip() in ("", "none"):
            return []
        return [name.strip() for name in self.learners.split(",")]


def session_folder(root: Path, session: str) -> Path:
    """Where a session keeps its rings, tape and record; ``session`` is its MLflow run id."""
    return root / "mlruns" / "sessions" / session
