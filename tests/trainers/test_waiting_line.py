"""What a trainer prints while it waits for its first cycle."""

from __future__ import annotations

from types import SimpleNamespace

from streaming.events import Code, EventWriter
from trainers.session.trainer.trainer import PROGRESS_SECONDS, Trainer


def test_the_waiting_line_says_why_nothing_comes_while_nothing_comes(tmp_path, capsys):
    stream = SimpleNamespace(n_ticks=0)
    market = SimpleNamespace(market="X", stream=stream, trainer=SimpleNamespace(cycle=0))
    trainer = SimpleNamespace(
        session=tmp_path, markets={"X": market}, config=SimpleNamespace(min_ticks=500),
        _told=0.0, _found=[], _part=None,
    )  # fmt: skip
    feed = EventWriter(tmp_path, "feed")
    feed.say(Code.REFUSED, "no connection: HTTP 451", 1)

    def line():
        trainer._told -= 2 * PROGRESS_SECONDS
        Trainer._show_progress(trainer)
        return capsys.readouterr().out.strip()

    line()
    assert line() == "gathering ticks for the first cycle: X 0/500 (no connection: HTTP 451)"
    stream.n_ticks = 20
    assert line() == "gathering ticks for the first cycle: X 20/500"
    feed.say(Code.CONNECTED, "connected", 2)
    assert line() == "gathering ticks for the first cycle: X 20/500"
    feed.close()
