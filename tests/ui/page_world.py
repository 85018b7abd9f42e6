"""A session without its trainer: real rings written by a thread, real runs in a real store."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Metric, RunTag

from streaming.bars import BarBuilder
from streaming.cache import write_bar_ring, write_tick_cache
from streaming.events import Code
from streaming.rings.counters import ConnectionState
from streaming.ticks import AFTER_GAP, NS_PER_S, Ticks, make_ticks
from tests.ports import free_port
from tests.stores import copy_store
from tests.ui.ledger_writer import AGENTS, LedgerWriter
from tests.ui.page_fork import PageFork
from trainers.config import SessionConfig, session_folder
from trainers.names import EXPERIMENT, Kind, LearnerKind, Status, Tag
from ui.market_reader import Counters

ROOT = Path(__file__).parents[2]
TICKS_A_SECOND = 20
PATIENCE = 180.0  # s until a process has to be there: a busy machine takes over a minute
T = TypeVar("T")
COUNTERS = Counters(
    connection="CONNECTED", ticks=700, bars=40, ticks_per_second=None, span_seconds=40.0, gaps=2,
    repaired=140, late=0, reconnects=1, rejected=0, lag_ms=None, silent_seconds=0.5,
)  # fmt: skip


def answer_of(request: urllib.request.Request | str) -> tuple[int, str, Message]:
    """Return status, body and headers of whatever is answered, an error too."""
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as e:
        with e:
            return e.code, e.read().decode(), e.headers


def walk(n: int, start_ns: int, first_id: int, price: float, rng: np.random.Generator) -> Ticks:
    """Ticks of a random walk, evenly spaced, cents as the price step."""
    ticks = make_ticks(n)
    ticks["id"] = first_id + np.arange(n)
    ticks["ts_event"] = start_ns + np.arange(n) * (NS_PER_S // TICKS_A_SECOND)
    ticks["ts_init"] = ticks["ts_event"] + 3_000_000
    ticks["price"] = np.round(price + np.cumsum(rng.normal(0, 1.5, n)), 2)
    ticks["size"] = np.round(rng.uniform(0.001, 0.5, n), 5)
    ticks["side"] = rng.choice([-1, 1], n)
    return ticks


class Stream:
    """Writes one symbol's rings: history first, then live if asked."""

    def __init__(self, folder: Path, symbol: str, price: float, kept: int = 86_400) -> None:
        self.folder, self.symbol = folder, symbol
        self.rng = np.random.default_rng(len(symbol))
        self.cache = write_tick_cache(folder, symbol, 54_000)
        self.bars = write_bar_ring(folder, symbol, kept)
        self.builder = BarBuilder()
        self.price, self.sent, self.at = price, 0, 0
        self.ledger: LedgerWriter | None = None
        self.losing = threading.Event()  # set: trades are missing before the next one
        self.stop, self.thread = threading.Event(), threading.Thread(target=self._run, daemon=True)

    def record(self, learners: Sequence[str]) -> None:
        """Write forecasts of ``learners`` into the ledger for every bar from now on."""
        self.ledger = LedgerWriter(self.folder, self.symbol, learners)

    def history(self, seconds: int) -> None:
        self.at = time.time_ns() // NS_PER_S * NS_PER_S - seconds * NS_PER_S
        self.feed(seconds * TICKS_A_SECOND)

    def feed(self, n: int) -> None:
        ticks = walk(n, self.at, self.sent + 1, self.price, self.rng)
        if self.losing.is_set():
            ticks["flags"][0] |= AFTER_GAP
            self.losing.clear()
        final = self.builder.update(ticks)
        self.bars.append(final)
        self.cache.append(ticks)
        if self.ledger:
            self.ledger.write(final)
        self.price, self.sent = float(ticks["price"][-1]), self.sent + n
        self.at = int(ticks["ts_event"][-1]) + NS_PER_S // TICKS_A_SECOND
        stats = self.cache.stats
        stats["state"], stats["last_message_ns"] = ConnectionState.CONNECTED, time.time_ns()
        stats["lag_us"] = 3000 + 500 * self.rng.random()

    def live(self) -> None:
        self.thread.start()

    def _run(self) -> None:
        while not self.stop.wait(0.1):
            due = (time.time_ns() - self.at) * TICKS_A_SECOND // NS_PER_S
            if due > 0:
                self.feed(int(due))

    def close(self) -> None:
        self.stop.set()
        if self.thread.is_alive():
            self.thread.join()
        self.cache.close()
        self.bars.close()
        if self.ledger:
            self.ledger.close()


class World:
    """A project root with one session in it; the tests log what its trainer would."""

    def __init__(self, root: Path, *, symbols: str = "BTCUSDT", learners: str = "cnn,dqn") -> None:
        self.root = root
        self.streams: dict[str, Stream] = {}
        self._batches: dict[str, list[Metric]] | None = None
        self.uri = f"sqlite:///{root / 'mlflow.db'}"
        copy_store(root)
        self.client = MlflowClient(self.uri)
        self.experiment = self.client.create_experiment(EXPERIMENT, str(root / "mlruns"))
        self.run_id = self.run(
            {Tag.KIND: Kind.SESSION, Tag.SYMBOL: symbols, Tag.STATUS: Status.IDLE}
        )
        self.client.set_tag(self.run_id, Tag.SESSION, self.run_id)
        self.config = SessionConfig(symbols=symbols, learners=learners)
        self.folder = session_folder(root, self.run_id)
        self.folder.mkdir(parents=True)
        self.config.save(self.folder / "config.json")

    def run(self, tags: dict[str, str]) -> str:
        return str(self.client.create_run(self.experiment, tags=tags).info.run_id)

    def learner(
        self, name: str, symbol: str = "BTCUSDT", status: str = "IDLE", kind: str = "learner"
    ) -> str:
        about = {
            **learner_tags(name, symbol, kind), Tag.SESSION: self.run_id,
            Tag.STATUS: status, Tag.STATUS_TEXT: "",
        }  # fmt: skip
        return self.run(about)

    def log(self, run_id: str, cycle: int, **metrics: float) -> None:
        now = int(time.time() * 1000)
        named = {name.replace("__", "/"): value for name, value in metrics.items()}
        logged = [Metric(k, v, now, cycle) for k, v in named.items()]
        if self._batches is None:
            self.client.log_batch(run_id, logged)
        else:
            self._batches.setdefault(run_id, []).extend(logged)

    @contextlib.contextmanager
    def batched(self) -> Iterator[None]:
        """Log what is logged within as few requests as MLflow allows: each takes milliseconds."""
        self._batches = {}
        yield
        for run_id, logged in self._batches.items():
            for start in range(0, len(logged), 1000):
                self.client.log_batch(run_id, logged[start : start + 1000])
        self._batches = None

    def tag(self, run_id: str, **tags: str) -> None:
        self.client.log_batch(run_id, tags=[RunTag(k, v) for k, v in tags.items()])

    def events(self, *texts: str, code: str = Code.CONTROL) -> None:
        now = time.time()
        rows = [
            {"ts": now - len(texts) + i, "code": code, "text": text} for i, text in enumerate(texts)
        ]
        self.tag(self.run_id, events=json.dumps(rows))

    def stream(
        self,
        symbol: str = "BTCUSDT",
        seconds: int = 960,
        price: float = 64_000,
        ledger: Sequence[str] = (),
    ) -> Stream:
        made = self.streams[symbol] = Stream(self.folder, symbol, price)
        if ledger:
            made.record(ledger)
        made.history(seconds)
        return made

    def close(self) -> None:
        for stream in self.streams.values():
            stream.close()


def learner_tags(name: str, symbol: str, kind: str = Kind.LEARNER) -> dict[str, str]:
    is_agent = name.split(".")[0] in AGENTS
    return {
        Tag.KIND: kind, Tag.SYMBOL: symbol, Tag.LEARNER: name,
        Tag.LEARNER_KIND: LearnerKind.AGENT if is_agent else LearnerKind.FORECASTER,
    }  # fmt: skip


class Page:
    """The page's process.

    Args:
        world: whose session it shows.
        port: its port, a free one if none is given.
        flags: more of its settings.
        env: more of its environment, such as passwords.
    """

    def __init__(
        self,
        world: World,
        port: int | None = None,
        flags: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.port = port or free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.log = world.root / "page.log"
        own = ("MLFLOW_", "TICKLOOP_")
        env = {k: v for k, v in os.environ.items() if not k.startswith(own)} | dict(env or {})
        self.password = env.get("TICKLOOP_OPERATOR_PASSWORD", "")
        env |= {"PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": world.uri}
        words = ["--session", world.run_id, "--page_port", str(self.port), *flags]
        self.process = PageFork(words, env, world.root, self.log)
        self.wait()

    def wait(self, seconds: float = PATIENCE) -> None:
        """Wait until everything is there: Gradio's part, and the first poll of MLflow."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.process.poll() is None, self.log.read_text()
            with contextlib.suppress(OSError):
                if self.status()["metrics_age_seconds"] is not None:
                    return
            time.sleep(0.05)
        raise TimeoutError(self.log.read_text())

    def status(self) -> dict[str, Any]:
        """Ask ``/training_status``."""
        url = self.address + "/gradio_api/run/training_status"
        headers = {"Content-Type": "application/json"}
        if self.password:
            word = base64.b64encode(f"operator:{self.password}".encode()).decode()
            headers["Authorization"] = f"Basic {word}"
        asked = urllib.request.Request(url, b'{"data": []}', headers)
        with urllib.request.urlopen(asked, timeout=60) as answer:
            found: dict[str, Any] = json.load(answer)["data"][0]
            return found

    def end(self) -> int:
        """End it as a session would; return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)


def apart(run: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine in a thread of its own: Playwright's loop has this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, run()).result()
