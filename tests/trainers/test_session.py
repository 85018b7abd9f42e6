from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import trainers.session.__main__
import trainers.session.start
from streaming.program.process import end_signals
from tests.ports import free_port
from trainers.config import SessionConfig, session_folder
from trainers.learners.registry import BASELINES, BUILT_IN
from trainers.session.__main__ import main, with_exchange
from trainers.session.access import Passwords
from trainers.session.addresses import Announcer, addresses_of
from trainers.session.preflight import check, check_port
from trainers.session.processes.children import children_of

PROJECT = Path(__file__).parents[2]
QUIET = ["--page_port", "0", "--mlflow_ui_port", "0"]


@pytest.fixture
def session(monkeypatch, tmp_path, capsys):
    """Run the entry point in an empty folder; nothing is started, that it would is an answer."""

    class NothingStarts:
        stopped = True  # so that nothing is replayed either

        def __init__(self, *_):
            pass

        def run(self, _):
            print("STARTED", file=sys.stderr)
            return 0

    handlers = {number: signal.getsignal(number) for number in end_signals()}
    monkeypatch.setattr(trainers.session.__main__, "Supervisor", NothingStarts)
    monkeypatch.chdir(tmp_path)

    def run(*flags):
        monkeypatch.setattr(sys, "argv", ["session", *flags])
        with pytest.raises(SystemExit) as e:
            main()
        return e.value.code, capsys.readouterr().err

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


def refused(answer, *words):
    code, said = answer
    assert code == 2, said
    assert said.count("\n") == 1, said
    for word in words:
        assert word in said


def nothing_left(folder):
    assert not list(folder.iterdir())


WRONG = [
    ("speed", "0", "0.01 to 1000"),
    ("speed", "nan", "0.01 to 1000"),
    ("speed", "fast", "expected a number"),
    ("cycles", "1.5", "expected a whole number"),
    ("cycles", "-1", "0 to 1e+09"),
    ("cycle_seconds", "0", "1 to 86400"),
    ("cycle_seconds", "inf", "1 to 86400"),
    ("min_ticks", "0", "1 to 1e+07"),
    ("history_bars", "10", "200 to 86400"),
    ("confidence", "0.4", "0.5 to 1"),
    ("fee_bps", "-0.5", "0 to 1000, or -1"),
    ("fee_bps", "-2", "-1 to 1000"),
    ("seed", "-1", "0 to "),
    ("cnn_learning_rate", "0", "1e-07 to 1"),
    ("dqn_gamma", "1", "0 to 0.9999"),
    ("dqn_memory", "10", "100 to 1e+08"),
    ("dqn_epsilon_min", "2", "0 to 1"),
    ("features", "fancy", "classic, flow"),
    ("channel", "depth", "trade, aggTrade"),
    ("source", "nowhere", "sim, sim:<market>, tape:PATH or binance"),
    ("source", "sim:moon", "markets: "),
    ("source", "tape:", "tape:PATH"),
    ("symbols", "BTC USDT", "names such as BTCUSDT"),
    ("symbols", "", "names such as BTCUSDT"),
    ("symbols", "BTCUSDT,btcusdt", "each symbol once"),
    ("venue_ws", "http://x", "ws://HOST"),
    ("venue_rest", "ws://x", "http://HOST"),
    ("learners", "lstm", "cnn, dqn, majority, "),
    ("learners", "lstm", ", random, or module:Class"),
    ("learners", "cnn,cnn", "each learner once"),
    ("learners", "json:dumps", "expected a class"),
    ("learners", "no.such.module:X", "cannot be imported"),
    ("learners", "json:NoSuchClass", "cannot be imported"),
    ("learners", "builtins:int", "a class that says what it takes"),
    ("page_port", "70000", "0 to 65535"),
    ("page_host", "0.0.0.0", "127.0.0.1"),
    ("mlflow_ui_port", "-5", "0 to 65535"),
]


@pytest.mark.parametrize("setting, value, allowed", WRONG)
def test_a_wrong_setting_is_one_line_with_field_value_and_what_is_allowed(
    session, tmp_path, setting, value, allowed
):
    flags = {"page_port": "0", "mlflow_ui_port": "0"}
    if setting == "page_host":
        flags["page_port"] = "7860"
    flags[setting] = value
    words = [word for name, value in flags.items() for word in (f"--{name}", value)]
    refused(session(*words), setting, value, allowed)
    nothing_left(tmp_path)


@pytest.mark.parametrize("flags", [["--no_such_setting", "1"], ["--speed"], ["sim"]])
def test_a_flag_that_is_none_is_one_line(session, tmp_path, flags):
    refused(session(*flags), flags[0])
    nothing_left(tmp_path)


def test_a_learner_without_a_name_is_one_line(session, tmp_path):
    refused(session("--learners", "cnn,,dqn", *QUIET), "learners: got ''; allowed: cnn, dqn")
    nothing_left(tmp_path)


def test_a_tape_that_is_not_there_is_one_line(session, tmp_path):
    refused(session("--source", "tape:no/such.parquet", *QUIET), "no/such.parquet")
    nothing_left(tmp_path)


@pytest.mark.parametrize("name", ["tape.parquet", "tape.csv", "tape.csv.gz", "tape.zip"])
def test_a_tape_that_cannot_be_read_is_one_line(session, tmp_path, name):
    (tmp_path / name).write_bytes(b"\x00\xffno tape at all\n" * 50)
    refused(session("--source", f"tape:{name}", *QUIET), name)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("setting", ["page_port", "mlflow_ui_port"])
def test_a_port_in_use_is_one_line(session, tmp_path, setting):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        others = {"page_port": "0", "mlflow_ui_port": "0", setting: port}
        flags = [word for name, value in others.items() for word in (f"--{name}", value)]
        refused(session(*flags), setting, port, "allowed: a free port, or 0")
    nothing_left(tmp_path)


@pytest.fixture
def checks(session, monkeypatch):
    """As ``session``, of which only the checks are run."""
    monkeypatch.delattr(trainers.session.start, "ensure_store")
    return session


def test_the_same_port_for_two_things_is_one_line(checks):
    port = str(free_port())
    refused(checks("--page_port", port, "--mlflow_ui_port", port), port, "port")


@pytest.mark.parametrize(
    "learners",
    [
        "tests.trainers.own_learner:NoLearner",
        "collections:Counter",
        "cnn,trainers.learners.cnn.learner:CNN",
    ],
)
def test_what_is_no_learner_or_a_second_of_its_name_is_known_before_anything_starts(
    checks, learners
):
    refused(checks("--learners", learners, *QUIET), "learners", learners.split(",")[-1])


def test_a_module_that_fails_while_it_is_imported_is_one_line(checks, tmp_path, monkeypatch):
    (tmp_path / "half_written.py").write_text("class Mine:\n    def forecast(self, bars\n")
    monkeypatch.syspath_prepend(tmp_path)
    refused(checks("--learners", "half_written:Mine", *QUIET), "learners", "half_written:Mine")


def test_a_learner_that_cannot_be_made_is_one_line(checks):
    path = "tests.trainers.own_learner:Unfinished"
    refused(checks("--learners", path, *QUIET), "learners", path, "no weights yet")


@pytest.mark.parametrize("uri", ["file:///tmp/mlruns", "sqlite:////proc/nowhere/mlflow.db"])
def test_a_store_that_cannot_be_written_is_one_line_and_leaves_no_session(
    session, tmp_path, monkeypatch, uri
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    refused(session(*QUIET), "MLFLOW_TRACKING_URI", uri)
    assert not (tmp_path / "mlruns" / "sessions").exists()


def test_what_is_right_starts_and_ends_with_its_run_finished(session, root, client, monkeypatch):
    monkeypatch.chdir(root)
    code, said = session("--learners", "none", *QUIET)
    assert (code, said) == (0, "STARTED\n")
    (run,) = client.search_runs(
        [client.get_experiment_by_name("tickloop").experiment_id],
        "params.learners = 'none'", max_results=1,
    )  # fmt: skip
    assert (run.info.status, run.data.tags["state"]) == ("FINISHED", "stopped")
    folder = session_folder(root, run.info.run_id)
    saved = SessionConfig.load(folder / "config.json")
    assert saved.venue_ws.startswith("ws://127.0.0.1:")
    assert (folder / "tape").is_dir()
    assert json.loads((folder / "config.json").read_text())["learners"] == "none"


def test_more_symbols_than_a_param_of_mlflow_holds_are_one_line(session, tmp_path):
    symbols = ",".join(f"COIN{i:04}USDT" for i in range(700))
    refused(session("--symbols", symbols, *QUIET), "symbols", "9,099 characters", "6,000")
    nothing_left(tmp_path)


# ---- what goes wrong between the checks and the first process


@pytest.fixture
def project(root, monkeypatch):
    """A project with a store, in which the session is started."""
    monkeypatch.chdir(root)
    return root


def runs_in(client):
    return client.search_runs([client.get_experiment_by_name("tickloop").experiment_id])


def newest(client):
    return runs_in(client)[0]


def test_a_folder_that_cannot_be_written_is_one_line_and_makes_no_run(
    session, project, client, monkeypatch
):
    before = len(runs_in(client))
    monkeypatch.setattr(
        trainers.session.start, "session_folder", lambda *_: Path("/proc/nowhere/sessions")
    )
    refused(session(*QUIET), "/proc/nowhere/sessions: expected a folder that this user may write")
    assert len(runs_in(client)) == before


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "mlruns/sessions/x/config.json")


def unplanned(*_):
    raise ZeroDivisionError


def interrupted(*_):
    os.kill(os.getpid(), signal.SIGHUP)
    time.sleep(10)


def test_a_disk_that_is_full_at_the_start_is_one_line_and_leaves_no_run_running(
    session, project, client, monkeypatch
):
    monkeypatch.setattr(SessionConfig, "save", full)
    refused(session(*QUIET), "cannot start: mlruns/sessions/x/config.json: No space left on device")
    assert newest(client).info.status == "FAILED"


def test_a_fault_at_the_start_shows_where_it_is_and_leaves_no_run_running(
    session, project, client, monkeypatch
):
    monkeypatch.setattr(trainers.session.__main__, "children_of", unplanned)
    monkeypatch.setattr(sys, "argv", ["session", *QUIET])
    with pytest.raises(ZeroDivisionError):
        main()
    assert newest(client).info.status == "FAILED"


def test_a_terminal_closed_at_the_start_ends_the_session_and_its_run(
    session, project, client, monkeypatch
):
    monkeypatch.setattr(trainers.session.__main__, "children_of", interrupted)
    assert session(*QUIET) == (0, "")
    assert newest(client).info.status == "FINISHED"


@pytest.mark.parametrize("name", ["outbox.jsonl", "BTCUSDT.outbox.jsonl", "config.json"])
def test_a_damaged_file_of_an_old_session_is_one_line_and_stops_no_new_one(
    session, project, client, name
):
    old = session_folder(project, "0" * 32)
    old.mkdir(parents=True, exist_ok=True)
    SessionConfig().save(old / "config.json")
    (old / "BTCUSDT.decisions.jsonl").write_bytes(b"")
    (old / "outbox.jsonl").write_bytes(b'["r", 1, 10, {}, {}, {}]\n')
    (old / name).write_bytes(b'["r", 1, 10["r", 2, 20, {}, {}, {}]\n')
    try:
        code, said = session(*QUIET)
    finally:
        shutil.rmtree(old)
    assert code == 0
    (line, started) = said.splitlines()
    assert started == "STARTED"
    assert str(old / name) in line


def test_the_command_line_refuses_in_one_line_with_exit_code_2(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "trainers.session", "--learners", "lstm", *QUIET],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (2, "")
    known = ", ".join([*BUILT_IN, *BASELINES])
    assert done.stderr == f"tickloop: learners: got 'lstm'; allowed: {known}, or module:Class\n"
    nothing_left(tmp_path)


# ---- pure parts


@pytest.mark.parametrize(
    "source, fee_bps", [("sim", 1), ("sim:momentum", 1), ("tape:x", 10), ("binance", 10)]
)
def test_the_fee_is_the_venues_unless_one_is_given(source, fee_bps):
    assert SessionConfig(source=source).fee_bps == fee_bps
    assert SessionConfig(source=source, fee_bps=0).fee_bps == 0
    assert SessionConfig(source=source, fee_bps=2.5).fee_bps == 2.5


def test_a_session_reads_back_the_fee_it_was_given(tmp_path):
    SessionConfig(source="binance").save(tmp_path / "config.json")
    assert SessionConfig.load(tmp_path / "config.json").fee_bps == 10


def test_a_free_port_and_no_port_are_fine():
    check_port("page_port", "127.0.0.1", free_port())
    check_port("page_port", "127.0.0.1", 0)


def test_the_page_may_listen_on_the_loopback_of_ip_6():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    config = SessionConfig(page_host="::1", page_port=free_port(), mlflow_ui_port=0)
    check(config, Passwords())


def names(config, uri="sqlite:///x.db"):
    return [child.name for child in children_of(config, Path("s"), uri, Passwords())]


def test_a_session_is_the_processes_its_settings_ask_for():
    assert names(SessionConfig()) == ["exchange", "feed", "trainer", "page", "MLflow UI"]
    alone = SessionConfig(source="binance", page_port=0, mlflow_ui_port=0)
    assert names(alone) == ["feed", "trainer"]


def test_a_databases_password_is_on_no_command_line():
    uri = "postgresql://me:s3cret@127.0.0.1/db"
    for child in children_of(SessionConfig(), Path("s"), uri, Passwords()):
        assert "s3cret" not in " ".join(child.argv)


def test_mlflows_own_ui_is_not_started_beside_a_tracking_server():
    assert "MLflow UI" not in names(SessionConfig(), "http://127.0.0.1:5000")


def test_the_built_in_exchange_gets_a_port_of_its_own():
    config = with_exchange(SessionConfig())
    assert config.venue_ws.removeprefix("ws") == config.venue_rest.removeprefix("http")
    venue = SessionConfig(source="binance", venue_ws="ws://127.0.0.1:1")
    assert with_exchange(venue) is venue


def test_addresses_are_those_of_what_is_shown():
    config = SessionConfig(page_port=7000, mlflow_ui_port=0)
    assert addresses_of(config, "1", "s") == {"page": "http://127.0.0.1:7000"}
    assert "experiments/1/runs" in addresses_of(SessionConfig(), "1", "s")["MLflow UI"]


@pytest.mark.parametrize(
    "host, address",
    [
        ("0.0.0.0", "http://127.0.0.1:7000"),
        ("192.168.1.7", "http://192.168.1.7:7000"),
        ("::1", "http://[::1]:7000"),
    ],
)
def test_the_page_is_announced_where_it_answers(host, address):
    config = SessionConfig(page_host=host, page_port=7000, mlflow_ui_port=0)
    assert addresses_of(config, "1", "s") == {"page": address}


def test_an_address_is_announced_once_something_answers_there(capsys):
    port = free_port()
    announce = Announcer({"page": f"http://127.0.0.1:{port}"})
    announce()
    assert capsys.readouterr().out == ""
    with socket.create_server(("127.0.0.1", port)):
        announce()
        announce()
    assert capsys.readouterr().out == f"page       http://127.0.0.1:{port}\n"
