"""The markets by name."""

from __future__ import annotations

from streaming.exchange.markets.default import leaning
from streaming.exchange.markets.hawkes import Hawkes
from streaming.exchange.markets.market import SyntheticMarket, moves_of, with_orders
from streaming.exchange.markets.processes.ar1 import AR1
from streaming.exchange.markets.processes.martingale import Martingale
from streaming.exchange.markets.processes.momentum import Momentum
from streaming.exchange.markets.processes.process import Process
from streaming.exchange.markets.processes.signs import Signs
from streaming.exchange.markets.processes.switch import Switch

PROCESSES: dict[str, Process] = {
    "martingale": Martingale(),
    "ar1": AR1(),
    "signs": Signs(),
    "momentum": Momentum(),
    "switch": Switch(),
}

SHOWS = 0.6  # of the markets that can be predicted without the book, too

MARKETS: dict[str, SyntheticMarket] = {
    "default": SyntheticMarket(with_orders(leaning), 0.65),
    "martingale": SyntheticMarket(with_orders(moves_of(Martingale())), 0.5),
    "book": SyntheticMarket(with_orders(moves_of(Martingale())), 0.7),
    **{
        name: SyntheticMarket(with_orders(moves_of(process)), SHOWS)
        for name, process in PROCESSES.items()
        if name != "martingale"
    },
    "hawkes": SyntheticMarket(Hawkes().blocks, SHOWS),
}
