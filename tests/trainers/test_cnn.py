from __future__ import annotations

import numpy as np
import pytest
import torch

from datamodules.features import COLUMNS, features_of
from datamodules.scaling import scale
from datamodules.windows import LENGTH
from tests.datamodules.samples import bars_from, random_bars, snapshot_of
from trainers.config import SessionConfig
from trainers.learners.cnn import CNN
from trainers.learners.learner import Forecast
from trainers.learners.forecaster import FORECASTER_BARS, WindowNet
from trainers.scoring.scores import Scores


def learner(**knobs):
    return CNN(SessionConfig(learners="cnn", **{"cnn_batch_size": 64, **knobs}))


def alternating(n):
    """Up, down, up, down, by amounts that differ."""
    rng = np.random.default_rng(0)
    return bars_from(100 + np.arange(n) % 2 + 0.2 * rng.random(n), rng.exponential(size=n))


def trending(n):
    """Runs of 8 bars up, then 8 down."""
    rng = np.random.default_rng(0)
    moves = np.where(np.arange(n) // 8 % 2 == 0, 1.0, -1.0) * (0.5 + rng.random(n))
    return bars_from(1000 + np.cumsum(moves - moves.mean()), rng.exponential(size=n))


@pytest.mark.parametrize(
    "features, market, wanted", [("classic", alternating, 0.95), ("flow", trending, 0.8)]
)
def test_it_learns_a_plain_pattern_test_then_train(features, market, wanted):
    bars, cnn = market(400), learner(features=features, cnn_epochs=12)
    scores = Scores(confidence=0.65, fee_bps=0.0)
    for cycle, at in enumerate(range(250, 400, 30), 1):
        for t in range(at - 30, at):  # a forecast of bars not learned from yet
            close = float(bars["close"][t])
            scores.label(close, gap=False)
            probability = cnn.forecast(bars[: t + 1]) if cycle > 2 else None
            scores.forecast(None if probability is None else Forecast(probability), close)
        cnn.learn(snapshot_of(bars[:at], cycle=cycle))
    assert scores.scored > 80
    assert scores.metrics()["live/accuracy"] > wanted


def test_it_learns_nothing_from_a_coin():
    bars, cnn = random_bars(700, seed=9, flat=0.0), learner(cnn_epochs=2)
    cnn.learn(snapshot_of(bars[:400]))
    said = np.array([cnn.forecast(bars[: t + 1]) for t in range(400, 699)])
    up = np.diff(bars["close"])[400:] > 0
    assert abs(np.mean((said > 0.5) == up) - 0.5) < 0.1


@pytest.mark.parametrize("features", COLUMNS)
def test_a_forecast_is_the_network_on_the_scaled_features(features):
    bars, cnn = random_bars(300), learner(features=features)
    cnn.learn(snapshot_of(bars[:250]))
    scaler_rows = features_of(bars[:250], features)
    low, high = scaler_rows.min(0), scaler_rows.max(0)
    rows = features_of(bars, features)[-LENGTH:]
    by_hand = torch.from_numpy(((rows - low) / (high - low)).clip(-1, 2).astype(np.float32))
    with torch.inference_mode():
        wanted = torch.sigmoid(cnn.serving.net(by_hand[None]))
    assert cnn.forecast(bars) == pytest.approx(float(wanted), abs=1e-5)


@pytest.mark.parametrize("features", COLUMNS)
def test_the_model_version_sees_the_bits_that_the_network_was_trained_on(features):
    bars, cnn = random_bars(300), learner(features=features)
    cnn.learn(snapshot_of(bars))
    seen = []
    cnn.serving.net.register_forward_hook(lambda module, args, output: seen.append(args[0]))
    cnn.forecast(bars)
    scaler = type("Fitted", (), {})()
    scaler.scale_, scaler.min_ = cnn.serving.scale.numpy(), cnn.serving.offset.numpy()
    trained = scale(features_of(bars, features), scaler)[-LENGTH:]
    assert seen[0][0].numpy().tobytes() == trained.tobytes()


@pytest.mark.parametrize("features", COLUMNS)
def test_the_first_version_standardises_by_the_moments_of_its_windows(features):
    bars, cnn = random_bars(900), learner(features=features, cnn_batch_size=256, cnn_epochs=1)
    cnn.learn(snapshot_of(bars))
    scaler = type("Fitted", (), {})()
    scaler.scale_, scaler.min_ = cnn.serving.scale.numpy(), cnn.serving.offset.numpy()
    rows = scale(features_of(bars, features), scaler)
    deviation = cnn.serving.net.deviation.numpy()
    np.testing.assert_allclose(deviation, rows.std(axis=0), rtol=0.3)


def test_an_untrained_network_says_one_half():
    torch.manual_seed(0)
    assert torch.sigmoid(WindowNet(8).eval()(torch.rand(3, 60, 8))).tolist() == [0.5] * 3


def test_a_signal_needs_the_confidence_asked_for():
    bars, cnn = alternating(300), learner(cnn_epochs=15)
    for cycle in (1, 2):
        cnn.learn(snapshot_of(bars[:250], cycle=cycle))
    module, n_bars = cnn.export()
    assert n_bars == FORECASTER_BARS
    raw = torch.from_numpy(
        np.stack([[list(bar) for bar in window(bars, t)] for t in range(250, 300)])
    )
    for up, signal in module(raw).tolist():
        assert signal == (1 if up >= 0.65 else -1 if up <= 0.35 else 0)
    assert {signal for _, signal in module(raw).tolist()} == {1, -1}


def window(bars, t):
    names = ["open", "high", "low", "close", "volume", "signed_volume", "notional", "trades"]
    return bars[names][t - FORECASTER_BARS : t].tolist()


def test_its_report_counts_the_epochs_of_all_cycles_and_the_windows_of_this_one():
    bars, cnn = random_bars(300), learner(cnn_epochs=3)
    cnn.learn(snapshot_of(bars[:200]))
    report = cnn.learn(snapshot_of(bars, cycle=2))
    moved = np.diff(bars["close"])[108:] != 0
    assert report["epochs"] == 6
    assert report["windows"] == moved.sum()
    assert 0 <= report["accuracy"] <= 1
    assert report["loss"] > 0
