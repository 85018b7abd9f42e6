"""ccxt.pro ``watch_trades`` on our venue; run in ccxt's own environment.

python benchmarks/peers/ccxt_trades.py HOST:PORT SECONDS
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import ccxt.pro

MARKET = {
    "id": "BTCUSDT", "lowercaseId": "btcusdt", "symbol": "BTC/USDT", "base": "BTC",
    "quote": "USDT", "baseId": "BTC", "quoteId": "USDT", "type": "spot", "spot": True,
    "margin": False, "swap": False, "future": False, "option": False, "contract": False,
    "active": True, "linear": None, "inverse": None,
    "precision": {"amount": 1e-5, "price": 0.01}, "limits": {},
}  # fmt: skip


async def main(host: str, seconds: float) -> None:
    """Watch for ``seconds`` from the first trade on; say what came."""
    exchange = ccxt.pro.binance({"newUpdates": True})
    exchange.urls["api"]["ws"]["spot"] = f"ws://{host}/ws"
    exchange.set_markets([MARKET])
    print(json.dumps(ccxt.__version__), flush=True)
    ids: set[int] = set()
    trades = await exchange.watch_trades("BTC/USDT")
    started = time.perf_counter()
    first = len(trades)
    while time.perf_counter() - started < seconds:
        ids.update(int(trade["id"]) for trade in trades)
        try:
            trades = await asyncio.wait_for(exchange.watch_trades("BTC/USDT"), 2)
        except TimeoutError:
            break  # everything was sent
    took = time.perf_counter() - started
    sent = max(ids) - min(ids) + 1
    found = {
        "rate": (len(ids) - first) / took,  # trades handed out
        "read": (sent - first) / took,  # trades taken from the wire, lost ones too
        "lost": 1 - len(ids) / sent,
    }
    print(json.dumps(found), flush=True)
    await exchange.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
