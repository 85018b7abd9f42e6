"""Stable-Baselines3's DQN on the trading environment; run in SB3's own environment.

python benchmarks/peers/sb3_dqn.py TRANSITIONS.npz COST_BPS BATCH STEPS TRAIN_FREQ

TRAIN_FREQ is SB3's: environment steps a gradient step (its default is 4). A line on stdin is one
round of STEPS.
"""

from __future__ import annotations

import json
import sys
import time
import warnings

import numpy as np
import stable_baselines3
import torch
from stable_baselines3 import DQN
from stable_baselines3.common.env_checker import check_env

from datamodules.trading_env import TradingEnv
from datamodules.transitions import Transitions


def main(path: str, cost_bps: float, batch: int, steps: int, train_freq: int) -> None:
    """Answer each line with the transitions learned a second."""
    torch.set_num_threads(1)
    with np.load(path) as data:
        transitions = Transitions(data["rows"], data["ret"], data["ts"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(TradingEnv(transitions, cost_bps=cost_bps))
    model = DQN(
        "MlpPolicy",
        TradingEnv(transitions, cost_bps=cost_bps),
        policy_kwargs={"net_arch": [64, 64]},
        learning_rate=3e-4,
        buffer_size=100_000,
        batch_size=batch,
        gamma=0.97,
        learning_starts=100,
        train_freq=train_freq,
        gradient_steps=1,
        seed=0,
        device="cpu",
    )
    model.learn(400, log_interval=1_000_000)  # warm up
    print(json.dumps(stable_baselines3.__version__), flush=True)
    for _ in sys.stdin:
        before, started = model._n_updates, time.perf_counter()
        model.learn(steps, log_interval=1_000_000, reset_num_timesteps=False)
        took = time.perf_counter() - started
        learned = (model._n_updates - before) * batch
        print(json.dumps({"rate": learned / took, "updates": learned // batch}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
