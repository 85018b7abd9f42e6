from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from datamodules.features import ACTIVITY, COLUMNS, features_of, make_activity, raw_columns
from datamodules.scaling import scale
from datamodules.windows import FORECASTER_BARS, WINDOW_BARS, make_windows
from tests.datamodules.samples import bars_from, random_bars, snapshot_of
from tests.trainers.ledger_rows import score
from tests.trainers.whole import forecasts_of
from trainers.config import SessionConfig
from trainers.learners.cnn.forecaster import (
    EXPERTS,
    FADING,
    RECENT,
    STEADY,
    VIEW_ROWS,
    Forecaster,
    WindowNet,
)
from trainers.learners.cnn.learner import RECENT_BARS
from trainers.learners.cnn.mixing import log_weights_after
from trainers.learners.cnn.rows import RowExperts
from trainers.learners.linear import fit_logistic
from trainers.learners.registry import learners_of
from trainers.scoring.direction.cases import Directions
from trainers.scoring.direction.scores import accuracy

EACH = pytest.mark.parametrize("features", COLUMNS)


def make(config):
    (learner,) = learners_of(config).values()
    return learner


def learner(**settings):
    return make(SessionConfig.of(learners="cnn", **{"cnn_batch_size": 64, **settings}))


def alternating(n):
    """Up, down, up, down, by amounts that differ."""
    rng = np.random.default_rng(0)
    return bars_from(100 + np.arange(n) % 2 + 0.2 * rng.random(n), rng.exponential(size=n))


def trending(n):
    """Runs of 8 bars up, then 8 down."""
    rng = np.random.default_rng(0)
    moves = np.where(np.arange(n) // 8 % 2 == 0, 1.0, -1.0) * (0.5 + rng.random(n))
    return bars_from(1000 + np.cumsum(moves - moves.mean()), rng.exponential(size=n))


def scaler_of(cnn):
    """The scaler inside the version that forecasts."""
    scaler = type("Fitted", (), {})()
    scaler.scale_, scaler.min_ = cnn.serving.scale.numpy(), cnn.serving.offset.numpy()
    return scaler


def trust_of(cnn):
    return dict(zip(EXPERTS, np.exp(cnn._module.net.log_weights.numpy()), strict=True))


@pytest.mark.parametrize(
    "features, market, wanted", [("classic", alternating, 0.95), ("flow", trending, 0.8)]
)
def test_it_learns_a_plain_pattern_test_then_train(features, market, wanted):
    bars, config = (
        market(400),
        SessionConfig.of(features=features, learners="cnn", cnn_batch_size=64),
    )
    forecasts = forecasts_of(make(config), bars, config, first_cycle=250)
    probabilities = [np.nan if one is None else one.probability for one in forecasts[310:]]
    samples = score(bars["close"][310:], probabilities).samples()
    assert len(samples.up) > 80
    assert accuracy(Directions.of(samples)).value > wanted


def test_it_learns_nothing_from_a_coin():
    bars, cnn = random_bars(700, seed=9, flat=0.0), learner()
    cnn.learn(snapshot_of(bars[:400]))
    forecasts = np.array([cnn.forecast(bars[: t + 1]) for t in range(400, 699)])
    up = np.diff(bars["close"])[400:] > 0
    assert abs(np.mean((forecasts > 0.5) == up) - 0.5) < 0.1


@EACH
def test_a_forecast_is_the_trusted_mean_of_the_views_of_the_scaled_features(features):
    bars, cnn = random_bars(300), learner(features=features)
    for cycle, t in ((1, 220), (2, 250)):
        cnn.learn(snapshot_of(bars[:t], cycle=cycle))
    scaler_rows = features_of(bars[:250], features)
    low, high = scaler_rows.min(0), scaler_rows.max(0)
    spread = np.where(high > low, high - low, 1.0)
    rows = features_of(bars, features)[-WINDOW_BARS:]
    by_hand = torch.from_numpy(((rows - low) / spread).clip(-1, 2).astype(np.float32))
    row = np.concatenate([features_of(bars, features), make_activity(raw_columns(bars))], 1)[-1:]
    with torch.inference_mode():
        logits = [cnn.serving.net(by_hand[None])[0], cnn.serving.rows(torch.from_numpy(row))[0]]
        views = torch.sigmoid(torch.cat(logits)).tolist()
    book = COLUMNS[features].index("book_imbalance") if features == "book" else None
    views.insert(0, 0.5 if book is None else 0.5 + 0.4 * row[0, book])
    weights = [float(share) for share in trust_of(cnn).values()]
    assert len({round(share, 6) for share in weights}) > 1  # one of them has earned more
    wanted = sum(share * view for share, view in zip(weights, views, strict=True))
    assert cnn.forecast(bars) == pytest.approx(wanted, abs=1e-5)


@EACH
def test_the_model_version_sees_the_bits_that_the_network_was_trained_on(features):
    bars, cnn = random_bars(300), learner(features=features)
    cnn.learn(snapshot_of(bars))
    seen = []
    cnn.serving.net.register_forward_hook(lambda module, args, output: seen.append(args[0]))
    cnn.forecast(bars)
    trained = scale(features_of(bars, features), scaler_of(cnn))[-WINDOW_BARS:]
    assert seen[0][0].numpy().tobytes() == trained.tobytes()


@EACH
def test_a_version_standardises_by_the_moments_of_its_rows(features):
    bars, cnn = random_bars(900), learner(features=features)
    cnn.learn(snapshot_of(bars[:600]))
    cnn.learn(snapshot_of(bars, cycle=2))
    rows = scale(features_of(bars, features), scaler_of(cnn))
    net = cnn.serving.net
    np.testing.assert_allclose(net.mean.numpy(), rows.mean(axis=0), atol=1e-4)
    deviation = rows.std(axis=0).clip(1e-6)
    np.testing.assert_allclose(net.deviation.numpy(), deviation, rtol=1e-3, atol=1e-6)


@EACH
def test_the_linear_views_are_fitted_on_ten_minutes_and_on_all_of_the_history(features):
    bars, cnn = random_bars(1500), learner(features=features)
    cnn.learn(snapshot_of(bars))
    net = cnn.serving.net
    rows = scale(features_of(bars, features), scaler_of(cnn))
    windows = make_windows(rows, bars["close"][49:], bars["gap"][49:])
    moved = ~windows.flat
    x = net.seen(torch.from_numpy(windows.x.copy())).double().numpy()
    since = {RECENT: len(rows) - RECENT_BARS, STEADY: 0}
    for expert, oldest in since.items():
        chosen = moved & (windows.at >= oldest)
        weights, bias = fit_logistic(x[chosen], windows.up[chosen] > 0)
        np.testing.assert_allclose(net.weights[expert].numpy(), weights, atol=1e-3)
        assert float(net.bias[expert]) == pytest.approx(bias, abs=1e-3)
    assert not torch.equal(net.weights[RECENT], net.weights[STEADY])


def test_a_linear_view_sees_the_newest_row_and_ever_less_of_the_moves_before():
    net = WindowNet("flow")
    x = torch.rand(2, WINDOW_BARS, 8)
    seen = net.seen(x)
    assert torch.equal(seen, net.seen(x[:, -VIEW_ROWS:]))
    assert seen[:, :8].tolist() == x[:, -1].tolist()
    returns = x[:, :, COLUMNS["flow"].index("return")]
    for lag, share in enumerate(FADING):
        assert torch.allclose(seen[:, 8 + lag], share * returns[:, -2 - lag])
    assert list(FADING) == sorted(FADING, reverse=True)


@EACH
def test_an_untrained_network_says_one_half_in_every_view(features):
    net = WindowNet(features).eval()
    x = torch.rand(3, WINDOW_BARS, len(COLUMNS[features]))
    assert torch.sigmoid(net(x)).tolist() == [[0.5] * 3] * 3


def test_the_deep_view_begins_as_the_steady_one():
    net = WindowNet("flow").eval()
    with torch.no_grad():
        net.weights.normal_()
        net.bias.normal_()
        recent, steady, deep = net(torch.rand(5, WINDOW_BARS, 8)).unbind(1)
    assert torch.equal(deep, steady)
    assert not torch.equal(recent, steady)


def test_the_deep_view_adds_the_signs_of_the_moves_further_back_than_the_others_see():
    net = WindowNet("flow").eval()
    net.distant.normal_()
    x = torch.randn(3, WINDOW_BARS, 8)
    _, steady, deep = net(x).unbind(1)
    moves = x[:, :, COLUMNS["flow"].index("return")]
    signs = (10 * moves[:, : WINDOW_BARS - VIEW_ROWS]).clip(-1, 1)
    assert torch.allclose(deep - steady, signs @ net.distant[0], atol=1e-5)


def test_what_is_further_back_is_fitted_anew_when_a_twentieth_of_its_rows_are_new():
    bars, cnn, fitted = random_bars(900, flat=0.0), learner(), []
    for cycle, t in enumerate((700, 720, 740), 1):  # 592, 612 and 632 windows
        cnn.learn(snapshot_of(bars[:t], cycle=cycle))
        fitted.append(cnn.serving.net.distant.clone())
    assert fitted[0].any()
    assert torch.equal(fitted[0], fitted[1])
    assert not torch.equal(fitted[1], fitted[2])


def test_who_resumes_fits_what_is_further_back_when_the_other_would_have():
    bars, (stayed, resumed) = random_bars(900, flat=0.0), (learner(), learner())
    stayed.learn(snapshot_of(bars[:700]))
    resumed.load_state_dict(stayed.state_dict())
    for cycle, t in enumerate((720, 740, 760), 2):
        for cnn in (stayed, resumed):
            cnn.learn(snapshot_of(bars[:t], cycle=cycle))
        one, other = (cnn.serving.net.distant for cnn in (stayed, resumed))
        assert torch.equal(one, other)
        assert stayed.forecast(bars[:t]) == resumed.forecast(bars[:t])


def test_what_is_descended_to_is_the_convolution_and_the_rest_is_fitted():
    net = WindowNet("flow")
    assert {name.partition(".")[0] for name, _ in net.named_parameters()} == {"body", "head"}
    assert {name for name, _ in net.named_buffers()} == {
        "mean", "deviation", "fading", "weights", "bias", "distant", "log_weights",
    }  # fmt: skip


def test_every_bar_of_the_window_reaches_the_convolution():
    torch.manual_seed(0)
    net = WindowNet("flow").eval()
    torch.nn.init.normal_(net.head.weight)
    x = torch.rand(1, WINDOW_BARS, 8, requires_grad=True)
    (net(x)[0, 2] - net(x)[0, 1]).square().backward()
    assert (x.grad[0].abs().sum(1) > 0).all()


def test_a_feature_far_out_says_no_more_than_one_at_the_edge():
    net = WindowNet("flow").eval()
    with torch.no_grad():
        net.weights.fill_(1.0)
    near, far = (torch.full((1, WINDOW_BARS, 8), value) for value in (4.0, 400.0))
    assert net(near).tolist() == net(far).tolist()


def test_trust_is_weighed_by_what_the_serving_version_said_of_bars_it_had_not_seen():
    bars, cnn = random_bars(330), learner()
    bars["gap"][120] = 1  # forgotten 108 bars later
    cnn.learn(snapshot_of(bars[:200]))
    serving, before = cnn.serving, cnn._module.net.log_weights.numpy().copy()
    cnn.learn(snapshot_of(bars, cycle=2))
    forecasts, up = [], []
    for t in range(199, 329):  # the first bar that it forecast is the newest it has learned from
        close, after = bars["close"][t : t + 2]
        window = bars[t + 1 - FORECASTER_BARS : t + 1]
        if after != close and not bars["gap"][t + 1 - FORECASTER_BARS : t + 2].any():
            with torch.inference_mode():
                forecasts.append(
                    serving.experts(torch.from_numpy(raw_columns(window)[None]))[0].numpy()
                )
            up.append(after > close)
    assert 20 < len(up) < 110
    wanted = np.exp(log_weights_after(before, np.array(forecasts), np.array(up)))
    np.testing.assert_allclose(np.exp(cnn._module.net.log_weights.numpy()), wanted, rtol=1e-5)
    assert np.abs(wanted - 0.25).max() > 0.001


def test_every_bar_counts_once_in_the_trust_however_often_it_learns():
    bars, scored = random_bars(330, flat=0.0), []

    def spied(log_weights, forecasts, up):
        scored.append(len(up))
        return log_weights_after(log_weights, forecasts, up)

    cnn = learner()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trainers.learners.cnn.learner.log_weights_after", spied)
        for cycle, t in enumerate((200, 230, 230, 231, 330), 1):
            cnn.learn(snapshot_of(bars[:t], cycle=cycle))
    moved = np.diff(bars["close"]) != 0  # [i] is about bar i + 1
    assert sum(scored) == moved[199:].sum()


def test_a_market_that_is_known_is_not_left_to_the_prior():
    bars, cnn = trending(500), learner()
    for cycle, t in enumerate(range(250, 501, 50), 1):
        report = cnn.learn(snapshot_of(bars[:t], cycle=cycle))
    assert trust_of(cnn)["prior"] < 0.001
    assert report["weight_prior"] == pytest.approx(trust_of(cnn)["prior"])


@pytest.mark.parametrize("tilt", [-1.0, -0.25, 0.0, 0.5])
@EACH
def test_where_the_book_is_seen_the_longer_queue_is_trusted_before_anything_is_learned(
    features, tilt
):
    rows = torch.zeros(2, WINDOW_BARS, len(COLUMNS[features]), dtype=torch.float64)
    known = features == "book"
    if known:
        rows[:, -1, COLUMNS[features].index("book_imbalance")] = tilt
    untrained = Forecaster(
        WindowNet(features), RowExperts(features), None, features=features, confidence=0.65
    ).eval()
    activity = torch.zeros(2, len(ACTIVITY), dtype=torch.float64)
    found = untrained.rise(rows, activity).tolist()
    share = 1 / (len(EXPERTS) - 1 + 0.1)  # of the prior: ``deep`` begins with a tenth of the others
    assert found == pytest.approx([0.5 + share * 0.4 * tilt * known] * 2)


def test_a_signal_needs_the_confidence_asked_for():
    bars, cnn = alternating(300), learner()
    for cycle, t in enumerate((150, 200, 250), 1):
        cnn.learn(snapshot_of(bars[:t], cycle=cycle))
    module, n_bars = cnn.export()
    assert n_bars == FORECASTER_BARS
    columns = raw_columns(bars)
    raw = torch.from_numpy(np.stack([columns[t - n_bars : t] for t in range(250, 300)]))
    answers = module(raw).tolist()
    for up, signal in answers:
        assert signal == (1 if up >= 0.65 else -1 if up <= 0.35 else 0)
    assert {signal for _, signal in answers} >= {1, -1}


def test_its_report_counts_the_epochs_of_all_cycles_and_the_windows_of_this_one():
    bars, cnn = random_bars(300), learner(cnn_updates=3)
    first = cnn.learn(snapshot_of(bars[:200]))
    report = cnn.learn(snapshot_of(bars, cycle=2))
    moved = np.diff(bars["close"]) != 0
    assert first["windows"] == moved[108:199].sum()
    assert report["windows"] == moved[108:].sum()
    drawn = 3 * 64
    assert report["epochs"] == pytest.approx(drawn / first["windows"] + drawn / report["windows"])
    assert 0 <= report["accuracy"] <= 1
    assert report["loss"] > 0
    assert math.fsum(report[f"weight_{expert}"] for expert in EXPERTS) == pytest.approx(1)


def test_a_recent_history_of_one_direction_leaves_the_recent_view_at_one_half():
    rng = np.random.default_rng(0)
    moves = np.r_[rng.normal(size=400), np.abs(rng.normal(size=RECENT_BARS + 80))]
    cnn = learner()
    cnn.learn(snapshot_of(bars_from(1000 + np.cumsum(moves))))
    net = cnn.serving.net
    assert not net.weights[RECENT].any()
    assert not net.bias[RECENT].any()
    assert net.weights[STEADY].any()


def test_two_markets_of_a_session_draw_from_generators_of_their_own():
    config = SessionConfig(learners="cnn")
    one, other = (learners_of(config, market)["cnn"] for market in ("BTCUSDT", "ETHUSDT"))
    weights = [learner.state_dict()["module"]["net.body.0.weight"] for learner in (one, other)]
    assert not torch.equal(*weights)
    draws = [snapshot_of(random_bars(60))._replace(symbol=market).rng("cnn").random()
             for market in ("BTCUSDT", "ETHUSDT", "BTCUSDT")]  # fmt: skip
    assert draws[0] == draws[2] != draws[1]


@pytest.mark.parametrize("lacks", ["rows", "distant_until"])
def test_the_state_of_an_earlier_version_is_refused_in_a_line(lacks):
    cnn = learner()
    cnn.learn(snapshot_of(random_bars(220)))
    state = cnn.state_dict()
    del state[lacks]
    with pytest.raises(ValueError, match=r"^expected the state of 6 experts, got .*new session$"):
        learner().load_state_dict(state)


def test_the_convolution_has_to_earn_its_weight():
    trust = np.exp(WindowNet("flow").log_weights.numpy())
    others = [trust[i] for i, name in enumerate(EXPERTS) if name != "deep"]
    assert set(others) == {1.0}
    assert trust[EXPERTS.index("deep")] == pytest.approx(0.1)
