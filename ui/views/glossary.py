"""What every metric means: the one source of the page's help and of ``docs/glossary.md``."""

from __future__ import annotations

import re

from ui.views.glossary_words import BASELINES, WORDS, Term

HEAD = """# Glossary

Every metric in MLflow by its name, and the page's words. A *bar* is a second of the market, or
as long as `bar_seconds` says. *bp* is a basis point, a hundredth of a per cent. `live/NAME` counts
since the session began, `live/10m/NAME` over the last ten minutes, `live/1h/NAME` over the last
hour. `NAME_ci` is the half-width of a 95 % interval, where one is known. In the session's own run
`live/NAME` is the sum over the learners of all its markets; `live/pnl_bps` counts the first agent
of each market. A learner of your own adds `train/` metrics with the names that it reports.
"""


STREAM = {
    "stream/ticks": Term("trades", "Trades received since the session began."),
    "stream/cached": Term("trades", "Trades in the tick cache now."),
    "stream/bars": Term("bars", "Final bars since the session began."),
    "stream/ticks_per_second": Term("1/s", "Trades a second of market time since the last cycle."),
    "stream/span_seconds": Term("s", "Market time that the tick cache covers now."),
    "stream/lag_ms": Term("ms", "Time from a trade at the venue to here, by the venue's clock."),
    "stream/gaps": Term(
        "gaps",
        "Holes in the trade ids that the venue could not fill either. Where ids do not count the"
        " trades (Bybit's), a loss while connected cannot be seen: not provable.",
    ),
    "stream/missing": Term("trades", "Trades lost in those gaps."),
    "stream/repaired": Term("trades", "Trades missed by the stream and fetched by REST."),
    "stream/backfilled": Term("trades", "Trades from before the first streamed one."),
    "stream/broken": Term(
        "bars", "Bars with a price that more than doubles or halves: no score counts them."
    ),
    "stream/late": Term("trades", "Trades that came when their bar was final: no bar has them."),
    "stream/duplicates": Term("trades", "Trades dropped because their id was seen before."),
    "stream/reconnects": Term("times", "How often the connection was lost and made again."),
    "stream/overruns": Term("cycles", "Cycles that had not ended when the next was due."),
    "stream/quotes": Term("updates", "Updates of the best bid and ask, and of their sizes."),
    "stream/late_quotes": Term("quotes", "Quotes that came when their bar was final."),
    "stream/rejected": Term("messages", "Messages dropped, for whatever reason."),
    "stream/rejected_malformed": Term("messages", "No JSON, or a field is missing or wrong."),
    "stream/rejected_not_trade": Term("messages", "Another kind of message."),
    "stream/rejected_foreign_symbol": Term("messages", "Of a symbol that nobody asked for."),
    "stream/rejected_oversized": Term("messages", "Far larger than any trade."),
    "stream/rejected_bad_price": Term("trades", "The price is no positive number."),
    "stream/rejected_bad_quote": Term(
        "quotes", "The book is crossed, has an empty side, or no finite numbers."
    ),
    "stream/rejected_bad_size": Term("trades", "The size is no positive number."),
    "stream/rejected_bad_time": Term(
        "trades", "Before 2009, or over a minute ahead of the venue's clock."
    ),
    "stream/rejected_not_market": Term(
        "trades", "No order made them: an insurance fund's, a deleveraging. No bar has them."
    ),
}

LIVE = {
    "live/pnl_bps": Term(
        "bp",
        "Profit of the paper account after costs: it holds one unit from BUY to SELL, counts"
        " in mids, and pays fee and half the spread for each change.",
    ),
    "live/gross_bps": Term("bp", "The same before costs."),
    "live/drawdown": Term("bp", "Deepest fall of that profit from an earlier peak."),
    "live/trades": Term("trades", "Trades that the paper account has closed."),
    "live/win_rate": Term("share", "Closed trades with a profit after costs."),
    "live/profit_per_trade": Term("bp", "Mean profit of a closed trade after costs."),
    "live/average_reward": Term("bp a bar", "`live/pnl_bps` divided by the bars."),
    "live/turnover": Term("changes a bar", "Changes of position divided by the bars."),
    "live/break_even": Term(
        "share",
        "Accuracy from which it would pay to be in or out at each forecast, for its horizon:"
        " 0.5 + cost of a change / mean size of a move. Above 1 not even being always right pays.",
    ),
    "live/missed": Term("bars", "Forecasts that came too late: the next bar was known already."),
    "live/missed_rate": Term(
        "share", "Forecasts that came too late, of all bars since the first cycle."
    ),
    "live/scored": Term("bars", "Forecasts made in time whose close at the horizon is another."),
    "live/flat": Term("bars", "Forecasts made in time whose close at the horizon is the same."),
    "live/flat_rate": Term(
        "share", "`live/flat` of all forecasts whose close at the horizon is known."
    ),
    "live/silent": Term("bars", "Bars at which the learner gave no forecast."),
    "live/failed": Term("bars", "Bars at which the learner raised an error."),
    "live/broken": Term(
        "bars", "Forecasts without a label, as a bar up to the horizon is not whole."
    ),
    "live/accuracy": Term("share", "Scored forecasts whose direction was right."),
    "live/log_loss": Term(
        "nats a bar",
        "Mean of -ln(probability given to what happened). 0.693 is a coin;"
        " divide by 0.693 for bits.",
    ),
    "live/brier": Term("", "Mean squared error of the probability; 0.25 is a coin."),
    "live/auc": Term("share", "Chance that a rise was given a higher probability than a fall."),
    "live/mcc": Term("", "Matthews correlation of forecast and outcome, -1 to 1."),
    "live/kappa": Term(
        "share", "Errors avoided of those made by repeating the last direction; at most 1."
    ),
    "live/calibration_error": Term(
        "share",
        "Mean distance of the probabilities from how often it rose, in ten bins of equal"
        " size. Chance alone makes 0.04 at 1,000 bars.",
    ),
    "live/forecasts": Term(
        "forecasts", "Of the session: forecasts that were due, one a bar and learner."
    ),
    "live/markets": Term("markets", "Of the session: markets that have ended a cycle."),
    "live/markets_failing": Term(
        "markets", "Of the session: those with a learner whose last work ended in an error."
    ),
    "live/edge": Term(
        "nats a bar",
        "Log-loss of the best baseline less ours, on the bars that both scored."
        " Above 0 is better than every baseline. In brackets: of a coin's log-loss, 0.693.",
    ),
    "live/rank": Term("place", "Place on the leaderboard by mean Brier score, from 1."),
    "live/rank_best": Term(
        "place", "1 and the number of forecasters that are proven ahead, at any time of looking."
    ),
    "live/rank_worst": Term(
        "place", "The number of forecasters less those that it is proven ahead of."
    ),
    "live/edge_bps": Term("bp", "Profit of the account less that of the best baseline's."),
}

TRAIN = {
    "train/seconds": Term("s", "How long the last training took."),
    "train/loss": Term("", "Loss of the last training: cross-entropy in nats; for the DQN the"
                       " error of its values."),
    "train/accuracy": Term("share", "Accuracy on data that the model has seen: no evidence."),
    "train/epochs": Term("passes", "Windows drawn so far, in passes over the training windows."),
    "train/learning_rate": Term("", "Step size of the optimiser."),
    "train/windows": Term("windows", "Training windows with a move."),
    "train/weight_steady": Term("share", "Weight of the expert that fits all bars."),
    "train/weight_recent": Term("share", "Weight of the expert that fits the newest bars."),
    "train/weight_deep": Term("share", "Weight of the convolution, with the moves further back."),
    "train/weight_online": Term("share", "Weight of the expert that learns row by row."),
    "train/weight_forest": Term("share", "Weight of the boosted trees."),
    "train/weight_prior": Term(
        "share",
        "Weight of what is known before anything is learned: the sizes at bid and ask, where"
        " there are any, else one half.",
    ),
    "train/average_reward": Term("bp a bar", "Reward of a practice run over bars it has seen."),
    "train/episodes": Term("runs", "Practice runs so far."),
    "train/epsilon": Term("share", "Random actions in a practice run."),
    "train/memory_size": Term("experiences", "Experiences in the replay memory."),
    "train/updates": Term("updates", "Steps of the DQN's optimiser so far."),
    "train/rows": Term("bars", "Bars in the last training of a linear baseline."),
    "train/bars": Term("bars", "Bars that a baseline without training was shown."),
    "train/up": Term("share", "How often the close rose: the forecast of `majority`."),
    "train/agreed": Term("share", "How often a move had (`reversal`: had not) the direction of the"
                         " one before."),
}  # fmt: skip

PROMOTION = {
    "promotion/log_e": Term(
        "", "Logarithm of the evidence on which the verdict rests: that the challenger is better;"
        " where the champion is proven better, that it is; of a champion, that a baseline is. Above"
        " the threshold it is proven."
    ),
    "promotion/log_threshold": Term("", "The threshold for `promotion/log_e`."),
    "promotion/discoveries": Term(
        "markets",
        "On a session of several markets: those in which its learners are proven better than the"
        " best baseline, by the e-BH procedure over the markets' e-values of now. Of those it"
        " names, at most 5 % are false in expectation, however the markets depend on each other.",
    ),
    "promotion/markets": Term("markets", "The markets among which the discoveries were sought."),
    "promotion/bars": Term("bars", "Bars on which the challenger has been compared."),
}  # fmt: skip

HORIZONS = {
    "horizon/Ns/move_bps": Term(
        "bp", "Mean size of the market's moves over N seconds, of the mid, where the price moved."
    ),
    "horizon/Ns/break_even": Term(
        "share", "Accuracy from which it would pay to be in or out for N seconds by a forecast;"
        " above 1 not even being always right pays."
    ),
}  # fmt: skip

TUNING = {
    "tune/gain": Term(
        "nats or bp a bar",
        "How much better a trial did than the settings as they are; in a study's run, its best"
        " trial. Forecasters gain nats, agents basis points.",
    ),
    "tune/played": Term("share", "How much of the tape a trial played; below 1 it was given up."),
    "tune/batch_gain": Term(
        "nats or bp a bar", "The highest `tune/gain` in a batch, of the trials played to the end."
    ),
    "tune/best": Term("", "The number of the best trial; 0 is the settings as they are."),
    "tune/better": Term(
        "", "1 if the best trial is better than what you have, beyond luck; else 0."
    ),
    "tune/luck": Term(
        "nats or bp a bar", "What the best of so many trials would gain if all were no better."
    ),
    "tune/chance": Term(
        "share",
        "The probability that the best trial truly gains, once luck is taken off (the deflated"
        " Sharpe ratio).",
    ),
    "tune/baseline_gain": Term(
        "nats or bp a bar", "How much better the best trial did than the best baseline."
    ),
    "tune/baseline_luck": Term("nats or bp a bar", "`tune/luck`, against the best baseline."),
    "tune/baseline_chance": Term("share", "`tune/chance`, against the best baseline."),
    "tune/overfit": Term(
        "share",
        "How often the best trial of one half of the tape is in the lower half on the other (CSCV);"
        " at 0.5 the choice is worth nothing.",
    ),
}  # fmt: skip

TERMS: dict[str, Term] = BASELINES | STREAM | LIVE | HORIZONS | TRAIN | PROMOTION | TUNING
SECTIONS = (
    ("Words", WORDS),
    ("Baselines", BASELINES),
    ("Live: from forecasts made before their label existed", LIVE),
    ("Horizons: in the run of the market's first learner", HORIZONS),
    ("Stream", STREAM),
    ("Train: of the last training, no evidence", TRAIN),
    ("Promotion", PROMOTION),
    ("Tuning: in the runs of studies and trials", TUNING),
)


def plain_name(metric: str) -> str:
    """Return a metric's name without its window or horizon and the suffix of an interval.

    >>> plain_name("live/10m/accuracy_ci"), plain_name("horizon/60s/move_bps")
    ('live/accuracy', 'horizon/Ns/move_bps')
    """
    metric = re.sub(r"^horizon/\d+s/", "horizon/Ns/", metric)
    for window in ("10m/", "1h/"):
        metric = metric.replace(f"live/{window}", "live/", 1)
    return metric.removesuffix("_ci")


def as_markdown() -> str:
    """Return the text of ``docs/glossary.md``."""
    parts = [HEAD]
    for title, terms in SECTIONS:
        rows = [f"| `{name}` | {unit} | {meaning} |" for name, (unit, meaning) in terms.items()]
        parts.append(f"## {title}\n\n| name | unit | meaning |\n|---|---|---|\n" + "\n".join(rows))
    return "\n".join(f"{part.rstrip()}\n" for part in parts)
