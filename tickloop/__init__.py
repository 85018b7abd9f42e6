"""A session's data as pandas frames, for notebooks and programs.

    import tickloop

    session = tickloop.session("last")
    session.bars(), session.ticks(), session.quotes()
    session.forecasts(), session.trades(), session.equity()
    session.metrics(), session.params()

Everything is read from the session's record and the MLflow store, and nothing is written: a session
may be running meanwhile.
"""

from tickloop.session import Session, session, sessions

__all__ = ["Session", "session", "sessions"]
