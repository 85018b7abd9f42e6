"""Symbols of any letters: their files, their names in MLflow, and both found again."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.cache import tick_cache, write_tick_cache
from streaming.symbols import is_symbol
from streaming.tape import read_tape, segments, write_segment
from tests.streaming.samples import run_of_ids
from trainers.names import model_name
from trainers.recording.files import CHECKPOINT, RECORD, TAPE, candidates_folder, of_market
from trainers.tracking.uploads import tape_address, upload_segment

ODD = ["XBT/USD", "币安人生USDT", "btcusd", "tBTCF0:USTF0", "A&B=C%2F", "a'b\"c", "#1"]


@pytest.mark.parametrize("symbol", ODD)
def test_every_file_of_a_market_lies_in_the_session_s_folder(tmp_path: Path, symbol: str) -> None:
    write_tick_cache(tmp_path, symbol, 100).close()
    assert tick_cache(tmp_path, symbol).committed == 0
    for path in (
        of_market(tmp_path, symbol, CHECKPOINT),
        candidates_folder(tmp_path, symbol),
    ):
        assert path.resolve().relative_to(tmp_path).name.isascii()
    assert [path.parent for path in tmp_path.iterdir()] == [tmp_path]


def test_segments_and_models_of_any_symbol_are_found_again_in_mlflow(tmp_path, client) -> None:
    run = client.create_run(client.create_experiment("symbols")).info.run_id
    for symbol in ODD:
        write_segment(tmp_path, symbol, 0, run_of_ids(0, 5))
        [segment] = segments(tmp_path, symbol)
        upload_segment(client, run, segment, tape_address(client, run))
        name = model_name("sim", symbol, "cnn")
        client.create_registered_model(name)
        assert [model.name for model in client.search_registered_models(f"name = '{name}'")] == [
            name
        ]
    back = Path(client.download_artifacts(run, f"{RECORD}/{TAPE}", str(tmp_path)))
    for symbol in ODD:
        assert read_tape(back, symbol)["id"].tolist() == list(range(5))


@given(st.text(), st.text())
def test_models_of_two_symbols_share_a_name_only_if_their_case_differs(
    one: str, other: str
) -> None:
    if is_symbol(one) and is_symbol(other) and one.casefold() != other.casefold():
        assert model_name("sim", one, "cnn") != model_name("sim", other, "cnn")
