"""The words of the page that are no metrics, for ``ui.views.glossary``."""

from __future__ import annotations

from typing import NamedTuple


class Term(NamedTuple):
    """What one name means.

    Attributes:
        unit: what it counts or is measured in.
        meaning: one or two sentences; with the formula, where there is one.
    """

    unit: str
    meaning: str


WORDS = {
    "alert": Term(
        "",
        "A rule about a metric, a state or an event. It fires once it was true for as long as it"
        " says, and is over once it was untrue for as long, at least a minute. Means of fewer"
        " than 30 bars or trades are not looked at.",
    ),
    "address": Term(
        "",
        "Where alerts are sent, as apprise writes it: mailto://, ntfy://, slack:// and a hundred"
        " more. Once saved it is not shown again.",
    ),
    "bar": Term(
        "",
        "One second of the market: its first, highest, lowest and last price, its volume.",
    ),
    "baseline": Term(
        "",
        "A rule without a model, or a simple one, that forecasts beside the learners: what is"
        " not better than the best of them is worth nothing. By cycle the best one is that with the"
        " highest accuracy, for the edge that with the lowest log-loss: they may differ, and so may"
        " what they say of a learner.",
    ),
    "break-even": Term(
        "",
        "Where a trade's costs eat its profit: the account's profit at 0, 1 and 2 times the "
        "costs, and the accuracy from which being in and out at each bar would pay "
        "(`live/break_even`).",
    ),
    "calibration": Term(
        "",
        "Whether a forecast of 60 % comes true in 60 % of cases. Each dot holds a tenth of "
        "the bars; on the diagonal the forecasts are honest.",
    ),
    "candle": Term("", "The bars of 1 s to 5 min drawn as one; what is learned from are the bars."),
    "challenger": Term(
        "",
        "The version that may become champion: of a running session, the learner itself.",
    ),
    "champion": Term(
        "",
        "The registered version that serves. It forecasts beside the learner, and never learns.",
    ),
    "confidence": Term(
        "share",
        "A forecast is a signal from this probability on: BUY at 65 % or more, SELL at 35 % "
        "or less. In between the account keeps its position.",
    ),
    "cycle": Term("", "One training of all learners: every 30 s of market time."),
    "forecast": Term(
        "share",
        "The probability that the close at the horizon is higher, written down before it is known."
        " An agent gives an action instead.",
    ),
    "horizon": Term(
        "bars", "How far ahead forecasts look: 1 is the next bar. Scores come that much later."
    ),
    "half-width": Term("", "After ±: the true value lies within it in 95 of 100 cases."),
    "imbalance": Term(
        "%",
        "Size offered to buy at the best bid less that to sell at the best ask, over both. Above 0"
        " the next move is more often up.",
    ),
    "leaderboard": Term(
        "",
        "The forecasters by mean Brier score. One is proven ahead of another if its expected score"
        " was better on average, over the bars of both, whatever the market did. All that is said"
        " of all pairs at all times together is wrong with a chance of 5 % at most.",
    ),
    "paper account": Term(
        "",
        "An account on paper: it follows a learner's signals, and sends no orders.",
    ),
    "permuted-label control": Term(
        "",
        "A model that learns from shuffled labels. It can know nothing: if it does, forecasts"
        " and labels are mixed up somewhere, and no score is to be trusted.",
    ),
    "mark of a market": Term(
        "",
        "proven: among the session's discoveries. leads: the whole interval of the edge is above"
        " 0. earns, loses: the whole interval of a learner's profit is above, below 0. errs: its"
        " stream stands still, or a learner has failed.",
    ),
    "previous": Term("", "The version that was champion before; a roll back has it serve again."),
    "promote": Term(
        "",
        "Register the learner as it is now, and have that version serve as champion.",
    ),
    "quote": Term(
        "quote currency",
        "The highest price at which somebody wants to buy, the best bid, and the lowest to sell,"
        " the best ask. The spread between them is what a trade of each costs.",
    ),
    "roll back": Term("", "Make the previous champion serve again."),
    "state": Term(
        "",
        "Of session, stream and learner: starting, warming up, live, paused, stalled (no data"
        " come), stopped (by hand), ended (by itself) or failed.",
    ),
    "SMA": Term("quote currency", "Simple moving average: the mean of the last 20 or 50 closes."),
    "tape": Term(
        "",
        "Recorded trades that are played as if they happened now: how much of them has been, at"
        " how many times real speed, and how long the rest will take. A tape waits for its trainer,"
        " so that no forecast is missed.",
    ),
    "test-then-train": Term("", "Each forecast is scored before its bar is learned from."),
}

BASELINES = {
    "majority": Term("", "Forecasts the share of rises among the moves so far."),
    "last_direction": Term(
        "",
        "Expects the next move to have the sign of the last one, as often as it had so far; one"
        " half, where that was less often.",
    ),
    "reversal": Term(
        "",
        "Expects the opposite sign, as often as it came so far; one half, where that was less"
        " often. In a market with trends its accuracy is therefore 50 %.",
    ),
    "logistic": Term("", "A logistic regression on the newest bars, fitted anew in each cycle."),
    "permuted_labels": Term("", "The permuted-label control, as a row of the table."),
    "flat": Term("", "Never holds anything: it earns 0, and others have to earn more."),
    "buy_and_hold": Term("", "Buys at the first bar and keeps what it has."),
    "random": Term(
        "",
        "Trades at random, as often as the session's first agent; while that does not trade,"
        " neither does this.",
    ),
}
