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
from trainers.session.access import host_names

# Of an account without discounts. Binance spot: 0.1 %, its public fee schedule; tapes are mostly
# its. The simulated venue charges what the cheapest do, so that trading is not hopeless.
TAKER_FEES_BPS = {"sim": 1.0, "tape": 10.0, "binance": 10.0}

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
        14_400, "newest bars that a cycle may learn from: 4 h", unit="s", low=200, high=86_400
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
    fee_bps: float = knob(
        -1.0, "fee of one trade, of its value; -1 is the venue's taker fee", unit="bp",
        low=-1, high=1000,
    )  # fmt: skip

    cnn_learning_rate: float = knob(1e-3, "Adam step size of the CNN", low=1e-7, high=1)
    cnn_updates: int = knob(4, "gradient steps of the CNN a cycle", low=1, high=100_000)
    cnn_batch_size: int = knob(256, "windows an update", low=1, high=100_000)
    cnn_weight_decay: float = knob(
        3.0,
        "how hard the CNN is drawn back to its first weights: only what lasts is learned",
        low=0,
        high=100,
    )

    dqn_learning_rate: float = knob(3e-4, "AdamW step size of the DQN", low=1e-7, high=1)
    dqn_updates: int = knob(100, "gradient steps a cycle", low=1, high=100_000)
    dqn_batch_size: int = knob(256, "transitions an update", low=1, high=100_000)
    dqn_gamma: float = knob(0.97, "discount factor a bar", low=0, high=0.9999)
    dqn_tau: float = knob(
        0.4, "Polyak step of the target network, made every 50 updates", low=0, high=1
    )
    dqn_memory: int = knob(100_000, "transitions kept for replay", low=100, high=10**8)
    dqn_epsilon_decay: float = knob(
        0.9, "factor on epsilon (chance of a random action in a training episode) a cycle",
        low=0, high=1,
    )  # fmt: skip
    dqn_epsilon_min: float = knob(0.05, "where epsilon stops falling", low=0, high=1)

    parity: bool = knob(
        True, "once its cycles are done, replay the session at low priority and tag it with what"
        " came of it; earlier ones that were ended by hand are replayed beside it",
    )  # fmt: skip
    resume: str = knob(
        "", "go on with a session: its run id, or last; its own settings stay, but for cycles"
        " (in all) and the page's and MLflow UI's addresses",
    )  # fmt: skip

    page_host: str = knob(
        "127.0.0.1", "address the page listens on; any that is not this machine's needs a password"
    )
    page_port: int = knob(7860, "the page's port; 0 shows none", low=0, high=65_535)
    page_names: str = knob(
        "", "host names by which a proxy passes the page on, separated by commas"
    )
    mlflow_ui_port: int = knob(5000, "port of MLflow's own UI; 0 starts none", low=0, high=65_535)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fee_bps == -1:
            fee = TAKER_FEES_BPS[self.source.partition(":")[0]]
            object.__setattr__(self, "fee_bps", fee)  # the dataclass is frozen from here on
        if self.fee_bps < 0:
            raise KnobError(f"fee_bps: got {self.fee_bps:g}; allowed: 0 to 1000, or -1")
        host_names(self.page_names)
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
