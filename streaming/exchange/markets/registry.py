"""The markets by name."""

from __future__ import annotations

from streaming.exchange.markets.default import leaning
from streaming.exchange.markets.hawkes import Hawkes
from streaming.exchange.markets.market import Market, moves_of, with_orders
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

MARKETS: dict[str, Market] = {
    "default": with_orders(leaning),
    **{name: with_orders(moves_of(process)) for name, process in PROCESSES.items()},
    "hawkes": Hawkes().blocks,
}
