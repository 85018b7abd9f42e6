"""Who has a market: a number a market in the tracking store's database, which only grows.

Whoever takes a market over raises its epoch by one conditional write, and only then reads its
record. Whoever has an older epoch finds out before it writes anything that others read. MLflow's
REST server has no conditional write, so an epoch needs the database itself.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import sqlalchemy
from sqlalchemy import BigInteger, Column, MetaData, String, Table
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateTable

from streaming.errors import TickloopError
from trainers.tracking.stores.client import StoreError

EPOCHS = Table(
    "tickloop_epochs",
    MetaData(),
    Column("session", String(64), primary_key=True),
    Column("market", String(255), primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("holder", String(255), nullable=False),
)


class ReplacedError(TickloopError):
    """Another process has taken a market over: write nothing more, and end."""

    exit_code = 2  # another start finds the same


class Epochs:
    """The epochs of one session's markets.

    Args:
        uri: the tracking store's URI.
        session: the session's run id.

    Raises:
        StoreError: if the store is an MLflow server and not a database.
    """

    def __init__(self, uri: str, session: str) -> None:
        check_database(uri)
        self._engine, self._session = _engine(uri), session

    def prepare(self) -> None:
        """Make the table if it is missing; MLflow leaves tables alone that are not its own."""
        with self._engine.begin() as connection:
            connection.execute(CreateTable(EPOCHS, if_not_exists=True))

    def now(self) -> dict[str, int]:
        """Return the epoch of each market that has one."""
        table = EPOCHS.c
        query = sqlalchemy.select(table.market, table.epoch).where(table.session == self._session)
        with self._engine.connect() as connection:
            return {market: int(epoch) for market, epoch in connection.execute(query)}

    def holders(self) -> dict[str, tuple[int, str]]:
        """Return the epoch of each market and who has raised it last."""
        table = EPOCHS.c
        query = sqlalchemy.select(table.market, table.epoch, table.holder)
        with self._engine.connect() as connection:
            found = connection.execute(query.where(table.session == self._session))
            return {market: (int(epoch), holder) for market, epoch, holder in found}

    def take(self, market: str, holder: str) -> int:
        """Raise a market's epoch by one and return it: the market is ours from now on.

        Args:
            market: its symbol.
            holder: who takes it, for people.

        Raises:
            ReplacedError: if another process has raised it at the same moment.
        """
        self.prepare()
        before = self.now().get(market, 0)
        mine = {"session": self._session, "market": market}
        table = EPOCHS.c
        new = {"epoch": before + 1, "holder": holder}
        raised: sqlalchemy.Executable
        if before:
            raised = (
                sqlalchemy.update(EPOCHS)
                .where(table.session == self._session, table.market == market)
                .where(table.epoch == before)
                .values(**new)
            )
        else:
            raised = sqlalchemy.insert(EPOCHS).values(**mine, **new)
        try:
            with self._engine.begin() as connection:
                done = connection.execute(raised).rowcount != 0  # -1: an insert that was done
        except IntegrityError:
            done = False
        if not done:
            raise ReplacedError(f"{market}: another process has taken it over at the same moment")
        return before + 1

    def check(self, ours: Mapping[str, int]) -> None:
        """Check that we have the newest epoch of each of our markets.

        Args:
            ours: our epochs by market.

        Raises:
            ReplacedError: if one is older.
            SQLAlchemyError: if the database does not answer.
        """
        now = self.now()
        for market, epoch in ours.items():
            if now.get(market) != epoch:
                raise ReplacedError(
                    f"{market}: this process has epoch {epoch}, the store has {now.get(market)}:"
                    " another process has taken the market over, and this one ends"
                )


def check_database(uri: str) -> None:
    """Check that a store can hold epochs.

    Raises:
        StoreError: if it is an MLflow server.
    """
    if uri.startswith("http"):
        raise StoreError(
            f"MLFLOW_TRACKING_URI: got {uri}, an MLflow server, which has no conditional write, so"
            " that two machines could write the same market; expected the database itself:"
            " postgresql+psycopg://USER@HOST/DATABASE, or sqlite:///PATH on one machine"
        )


@functools.cache
def _engine(uri: str) -> sqlalchemy.Engine:
    """Return an engine of two connections at most, which are checked before they are used."""
    return sqlalchemy.create_engine(uri, pool_size=1, max_overflow=1, pool_pre_ping=True)
