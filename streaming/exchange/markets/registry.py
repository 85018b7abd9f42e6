"""The markets by name, each with what can be known about it.

The figures are those of the exact rule on the latent returns of whole seconds, which the last
prices of bars show only through rounding, the bounce and the time of the last trade: upper bounds.
"""

from __future__ import annotations

from streaming.exchange.markets.ar1 import AR1
from streaming.exchange.markets.default import leaning
from streaming.exchange.markets.hawkes import Hawkes
from streaming.exchange.markets.market import Market, played, with_orders
from streaming.exchange.markets.martingale import Martingale
from streaming.exchange.markets.momentum import Momentum
from streaming.exchange.markets.process import Process
from streaming.exchange.markets.signs import Signs
from streaming.exchange.markets.switch import Switch

PROCESSES: dict[str, Process] = {
    "martingale": Martingale(),
    "ar1": AR1(),
    "signs": Signs(),
    "momentum": Momentum(),
    "switch": Switch(),
}

_KNOWN = {
    "default": "hidden drift up or down, orders lean with it a little: accuracy 0.612, "
    "log-loss 0.6630 by the mid alone",
    "martingale": "nothing can be known: accuracy 0.500, log-loss 0.6931",
    "ar1": "0.3 of each return carries over: accuracy 0.597, log-loss 0.6636",
    "signs": "directions persist 6 times in 10: accuracy 0.600, log-loss 0.6730",
    "momentum": "hidden drift up or down: accuracy 0.612, log-loss 0.6630",
    "switch": "strong drift, but each other hour every move is taken back: accuracy 0.766, "
    "log-loss 0.5321 by who knows the hour",
    "hawkes": "orders excite orders of their side, each moves the mid: accuracy 0.716, "
    "log-loss 0.561 for the side of the next order",
}

_BLOCKS = {
    "default": with_orders(leaning),
    **{name: with_orders(played(process)) for name, process in PROCESSES.items()},
    "hawkes": Hawkes().blocks,
}

MARKETS = {name: Market(known, _BLOCKS[name]) for name, known in _KNOWN.items()}
