"""The functions, called as a program would, and what is refused."""

from __future__ import annotations

import contextlib
import json
import urllib.request
from email.message import Message
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from datamodules.features import RAW_COLUMNS, raw_columns
from streaming.bars import BAR
from streaming.cache import write_bar_ring
from streaming.ticks import NS_PER_S
from tests.ui.page_world import Page, World, answer_of
from trainers.recording.ledger import read_ledger
from ui.model_input import NoBarsError, bars_for_model
from ui.trades.paper_account import Trade

NAMES = (
    "get_tick_cache_for_training",
    "get_one_second_bars",
    "get_bars_for_model",
    "get_forecasts",
    "get_trades",
    "get_models",
    "send_training_data_to_models",
    "training_status",
)


@pytest.fixture(scope="module")
def client(page: Page) -> Client:
    return Client(page.address, verbose=False)


def answered(page: Page, name: str, *data: Any, **headers: str) -> tuple[int, str, Message]:
    request = urllib.request.Request(
        f"{page.address}/gradio_api/run/{name}",
        json.dumps({"data": data}).encode(),
        {"Content-Type": "application/json", **headers},
    )
    return answer_of(request)


def post(page: Page, name: str, *data: Any) -> Any:
    status, text, _ = answered(page, name, *data)
    assert status == 200
    return json.loads(text, parse_constant=pytest.fail)["data"][0]


@pytest.mark.parametrize("name", NAMES)
def test_each_name_answers_without_arguments(client: Client, page: Page, name: str) -> None:
    by_client, by_post = client.predict(api_name=f"/{name}"), post(page, name)
    assert type(by_client) is type(by_post)
    assert by_client
    assert by_post


def test_forecasts_are_the_ledger_s(busy: World, page: Page) -> None:
    told = post(page, "get_forecasts", "BTCUSDT", 50)
    names, _, forecasts = read_ledger(busy.folder, "BTCUSDT")
    bar, learner = told[0]["time"] * NS_PER_S, names.index(told[0]["learner"])
    is_first = (forecasts["bar"] == bar) & (forecasts["learner"] == learner)
    first = int(np.flatnonzero(is_first)[0])
    rows = forecasts[first : first + 50]
    assert [one["learner"] for one in told] == [names[i] for i in rows["learner"]]
    probabilities = [one["probability"] for one in told if one["probability"] is not None]
    assert probabilities == [p for p in rows["probability"].tolist() if np.isfinite(p)]
    assert {one["status"] for one in told} <= {"made", "missed", "silent", "failed"}


def test_trades_are_those_of_the_page(page: Page) -> None:
    trades = post(page, "get_trades", "", 20)
    assert len(trades) == 20
    assert [t["opened"] for t in trades] == sorted(t["opened"] for t in trades)
    assert set(trades[0]) == {"learner", *Trade._fields}
    assert all(t["closed"] is None or t["closed"] > t["opened"] for t in trades)


def test_models_have_their_versions_and_aliases(page: Page) -> None:
    models = {model["name"]: model["versions"] for model in post(page, "get_models")}
    aliases = {v["version"]: v["aliases"] for v in models["tickloop-btcusdt-cnn"]}
    assert aliases == {3: ["challenger"], 2: ["champion"], 1: ["previous"]}


def test_tick_cache_is_the_ring_s(busy: World, client: Client) -> None:
    ticks = client.predict("BTCUSDT", 50, api_name="/get_tick_cache_for_training")
    cache = busy.streams["BTCUSDT"].cache
    first = ticks[0]["trade_id"]
    there = cache.read(first - 1, first + 49).rows  # ids count from 1, seqs from 0
    assert [t["trade_id"] for t in ticks] == there["id"].tolist()
    assert [t["price"] for t in ticks] == there["price"].tolist()
    assert [t["ts_event"] for t in ticks] == there["ts_event"].tolist()
    assert {t["side"] for t in ticks} == {"buy", "sell"}
    assert set(ticks[0]) == {"trade_id", "price", "size", "side", "ts_event", "ts_init"}


def test_no_limit_is_the_whole_cache(busy: World, page: Page) -> None:
    ticks = post(page, "get_tick_cache_for_training")
    assert len(ticks) >= 960 * 20
    assert ticks[0]["trade_id"] == 1


def test_bars_carry_their_averages(busy: World, page: Page) -> None:
    bars = post(page, "get_one_second_bars", "", 120)
    assert len(bars) == 120
    there = busy.streams["BTCUSDT"].bars
    closes = {
        int(row["ts_open"]) // 10**9: float(row["close"])
        for row in there.tail(there.committed).rows
    }
    at = bars[-5]["time"]
    assert bars[-5]["close"] == closes[at]
    for window in (20, 50):
        mean = sum(closes[at - back] for back in range(window)) / window
        assert bars[-5][f"sma_{window}"] == pytest.approx(mean, abs=1e-4)
    everything = post(page, "get_one_second_bars", "", 0)
    assert everything[0]["sma_20"] is None
    assert len(everything) >= 960


def test_bars_for_a_model_are_final_and_named_by_either_way(busy: World, page: Page) -> None:
    status, text, _ = answer_of(f"{page.address}/get_bars_for_model?bars=60")
    assert status == 200
    found = json.loads(text)
    assert found["columns"] == list(RAW_COLUMNS)
    (rows,) = found["inputs"]
    there = busy.streams["BTCUSDT"].bars
    kept = raw_columns(there.tail(there.committed).rows).tolist()
    at = kept.index(rows[-1])
    assert kept[at - 59 : at + 1] == rows
    assert len(post(page, "get_bars_for_model", "BTCUSDT", 24)["inputs"][0]) == 24


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("bars=0", 422, "bars: got 0; allowed: 1 to 3600"),
        ("bars=3000", 409, "bars: expected 3000 whole bars, there are "),
        ("symbol=DOGE", 422, "allowed: BTCUSDT"),
    ],
)
def test_bars_that_are_not_there_are_refused(
    page: Page, query: str, status: int, said: str
) -> None:
    code, text, _ = answer_of(f"{page.address}/get_bars_for_model?{query}")
    assert (code, said in json.loads(text)["error"]) == (status, True)


def test_a_gap_is_no_input_for_a_model(tmp_path: Path) -> None:
    bars = np.zeros(60, BAR)
    bars["gap"][40] = 1
    with contextlib.closing(write_bar_ring(tmp_path, "BTCUSDT", 100)) as ring:
        ring.append(bars)
    with pytest.raises(NoBarsError, match="trades are missing in the newest 30; ask again in 10 s"):
        bars_for_model(tmp_path, "BTCUSDT", 30)
    assert len(bars_for_model(tmp_path, "BTCUSDT", 20)["inputs"][0]) == 20
    with pytest.raises(NoBarsError, match="expected 20 whole bars, there are 0 yet"):
        bars_for_model(tmp_path, "ETHUSDT", 20)


def test_status_has_the_metrics_of_mlflow(busy: World, client: Client) -> None:
    status = client.predict(api_name="/training_status")
    assert status["session"] == busy.run_id
    assert status["cycle"] == 24
    cnn = status["learners"]["BTCUSDT"]["cnn"]
    assert cnn["status"] == "TRAINING"
    assert (status["state"], status["stream"]["state"], cnn["state"]) == ("live", "live", "live")
    assert cnn["metrics"]["live/accuracy"] == 0.542
    newest = status["events"][-1]
    assert (newest["code"], newest["text"]) == ("control", "cycle 24 done in 0.8 s")
    assert status["stream"]["connection"] == "CONNECTED"
    assert status["stream"]["metrics"]["stream/bars"] == 900


def test_sending_asks_for_a_cycle_and_counts(busy: World, client: Client) -> None:
    answer = client.predict(api_name="/send_training_data_to_models")
    assert busy.client.get_run(busy.run_id).data.tags["control/train_now"] == "1"
    busy.client.delete_tag(busy.run_id, "control/train_now")
    bars = answer["bars"]
    assert answer["requested"] is True
    assert bars >= 959
    assert answer["feature_rows"] == bars - 49
    assert answer["windows"] == bars - 49 - 60
    assert answer["experiences"] == bars - 49 - 11


def test_counts_of_a_young_session_are_not_negative(new: World, new_page: Page) -> None:
    answer = post(new_page, "send_training_data_to_models", "ETHUSDT")
    assert min(answer["feature_rows"], answer["windows"], answer["experiences"]) >= 0


def test_unknown_symbol_names_the_known_ones(client: Client, page: Page) -> None:
    with pytest.raises(AppError, match="'DOGE'; allowed: BTCUSDT"):
        client.predict("DOGE", api_name="/get_one_second_bars")
    _, text, _ = answered(page, "get_one_second_bars", "DOGE")
    assert "allowed: BTCUSDT" in text


def test_negative_limit_is_refused(client: Client) -> None:
    with pytest.raises(AppError, match="limit: got -1"):
        client.predict("", -1, api_name="/get_tick_cache_for_training")


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Host": "evil.example"}, {"Origin": "null"}]
)
def test_another_site_s_write_is_refused(page: Page, headers: dict[str, str]) -> None:
    status, _, answer = answered(page, "training_status", **headers)
    assert status == 403
    assert "Access-Control-Allow-Origin" not in answer
