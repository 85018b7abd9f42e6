"""What runs are called in MLflow, and what their descriptions say. Pure.

1126-1147 sim BTCUSDT               the session
1126-1147 sim BTCUSDT cnn           a learner, champion or baseline of it
"""

from __future__ import annotations

import time

from trainers.config import SessionConfig
from trainers.names import source_name
from trainers.tracking.summary import Summary

NAME_CHARS = 250  # of a run, in MLflow's databases


def title_of(config: SessionConfig, started: float, symbol: str = "", learner: str = "") -> str:
    """Return the name of a run: when its session began, and what it is of.

    Args:
        config: the session's settings.
        started: when the session began, Unix seconds; the name has the local time.
        symbol: the market; empty for the session's own run.
        learner: the learner's name; empty for the session's own run.
    """
    symbols = config.symbol_list
    more = f" +{len(symbols) - 1}" if len(symbols) > 1 else ""
    when = time.strftime("%m%d-%H%M", time.localtime(started))
    words = (when, source_name(config.source), symbol or f"{symbols[0]}{more}", learner)
    return " ".join(word for word in words if word)[:NAME_CHARS]


def description_of(config: SessionConfig, session: str, symbol: str = "", learner: str = "") -> str:
    """Return a run's description, in Markdown, while its session runs.

    Args:
        config: the session's settings.
        session: run id of the session.
        symbol: the market; empty for the session's own run.
        learner: the learner's name; empty for the session's own run.
    """
    what = f"**{learner}** on {symbol}" if learner else f"Session on **{config.symbols}**"
    lines = [f"{what}, source `{config.source}`, a cycle every {config.cycle_seconds:g} s."]
    if config.page_port:
        mark = f"/#{symbol}" if symbol else ""
        lines.append(f"Its page, while it runs: http://127.0.0.1:{config.page_port}{mark}")
    return "\n\n".join([*lines, *_of_session(session)])


def description_at_the_end(told: Summary, session: str, learner: str = "") -> str:
    """Return a run's description after its session.

    Args:
        told: what came of the session.
        session: run id of the session.
        learner: the line about the learner; empty for the session's own run.
    """
    scores = [f"- {line}" for line in ([learner] if learner else told.learners)]
    return "\n\n".join([f"Session {told.title}.", "\n".join(scores), *_of_session(session)])


def _of_session(session: str) -> list[str]:
    return [
        f"All its runs: `tags.session = '{session}'`."
        f" Its page again: `python -m ui.app --session {session}`."
    ]
