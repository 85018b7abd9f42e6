"""How often promotion errs, and how long it takes, on markets of which the truth is known.

    martingale        noise for noise, looked at every bar: nothing should be promoted
    hidden momentum   a challenger that knows more than the champion: bars until it is promoted
                      a champion that turned to noise: bars until it is rolled back

The evidence is looked at after every bar. Where it says promote, or at the end if it never does,
``judge_challenger`` is asked and has to say the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.forecasters import Floats, Hidden, Martingale, until
from benchmarks.table import Row
from tests.trainers.whole import judge_challenger, judge_champion
from trainers.scoring.promotion.differences import Differences, by_brier
from trainers.scoring.promotion.eprocess import Evidence
from trainers.scoring.promotion.judges import ALPHA
from trainers.scoring.scored import Scored

RUNS = 400  # on the martingale
DELAYS = 200  # runs of hidden momentum
HOUR = 3600
HALF_AN_HOUR = 1800
NEVER = math.inf
SPREADS = (0.02, 0.05, 0.1)  # of noise around one half
THRESHOLD = math.log(2 / ALPHA)  # of a champion's first challenger


def path(found: Differences) -> Floats:
    """Return log E after every bar."""
    return Evidence().bet(found.better, found.most)


def first(hit: NDArray[np.bool_]) -> float:
    """Return how many bars it took, or NEVER."""
    return float(hit.argmax()) + 1 if hit.any() else NEVER


def promoted_after(ours: Scored, champion: Scored | None, baselines: Mapping[str, Scored]) -> float:
    """Return after how many bars ``judge_challenger`` says promote for the first time."""
    found = [by_brier(ours, other) for other in baselines.values()]
    proven = np.array([path(one) >= THRESHOLD for one in found])
    leads = np.array([np.cumsum(one.gain) for one in found])
    if champion is not None:
        proven[leads.argmin(axis=0), np.arange(leads.shape[1])] = True
        proven = np.vstack([proven, path(by_brier(ours, champion)) >= THRESHOLD])
    bars = first(proven.all(axis=0) & (leads.min(axis=0) > 0))
    look = len(ours) - 1 if bars == NEVER else int(bars)
    rival = None if champion is None else until(champion, look)
    rest = {name: until(other, look) for name, other in baselines.items()}
    verdict = judge_challenger(until(ours, look), rival, rest, challenge=1)
    if (verdict.decision == "promote") != (bars < NEVER):
        raise AssertionError(f"at bar {look} the judge says {verdict}")
    return bars


def rolled_back_after(champion: Scored, baselines: Mapping[str, Scored]) -> float:
    """Return after how many bars ``judge_champion`` says rollback for the first time."""
    threshold = math.log(len(baselines) / ALPHA)
    paths = np.array([path(by_brier(other, champion)) for other in baselines.values()])
    bars = first(paths.max(axis=0) >= threshold)
    look = len(champion) - 1 if bars == NEVER else int(bars)
    rest = {name: until(other, look) for name, other in baselines.items()}
    verdict = judge_champion(until(champion, look), rest)
    if (verdict.decision == "rollback") != (bars < NEVER):
        raise AssertionError(f"at bar {look} the judge says {verdict}")
    return bars


def peeked(found: Differences) -> bool:
    """Tell whether a z-test at every bar from the 30th on, at 5 % one-sided, ever promotes."""
    n = np.arange(1, len(found.gain) + 1)
    mean = np.cumsum(found.gain) / n
    spread = np.sqrt(np.cumsum(found.gain**2) / n - mean**2)
    return bool((mean * np.sqrt(n) > 1.645 * spread)[29:].any())


def run() -> list[Row]:
    """Measure errors and delays."""
    return [*_false_promotions(), *_delays(), *_rollbacks()]


def _false_promotions() -> list[Row]:
    beside, alone, proven, naively = [], [], [], []
    for seed in range(RUNS):
        market = Martingale(seed, HOUR)
        ours, champion = (market.noise(SPREADS[i % 3]) for i in (seed, seed // 3))
        beside.append(promoted_after(ours, champion, market.baselines) < NEVER)
        alone.append(promoted_after(ours, None, market.baselines) < NEVER)
        equals = by_brier(market.noise(0.05), market.noise(0.05))
        proven.append(path(equals).max() >= THRESHOLD)
        naively.append(peeked(equals))
    note = f"{RUNS} runs of 1 h looked at every bar"
    equal = (
        f"between equally noisy ones, without baselines: {np.mean(proven):.1%}, "
        f"by a z-test at every look {np.mean(naively):.0%}"
    )
    return [
        _share("noise beside a noisy champion, promoted", beside, f"{note}; {equal}"),
        _share("noise without a champion, promoted", alone, note),
    ]


def _delays() -> list[Row]:
    five, two = (np.array([_promotion(seed, points) for seed in range(DELAYS)]).T
                 for points in (6, 9))  # fmt: skip
    notes = [
        f"{accuracy} to 61 %; without baselines {_median(found[1])}, without a champion "
        f"{_median(found[2])}"
        for accuracy, found in ((56, five), (59, two))
    ]
    peer = "the same bets on right or wrong instead of Brier scores"
    return [
        _delay("challenger 5 points better, promoted after", five[0], HALF_AN_HOUR,
               "half an hour", f"{notes[0]}; {peer}: {_median(five[3])}"),
        _delay("challenger 2 points better, promoted after", two[0], float(np.median(two[3])),
               f"{peer}, without baselines", notes[1]),
    ]  # fmt: skip


def _promotion(seed: int, points: float) -> tuple[float, float, float, float]:
    """Return bars until promotion: by the rule, by less of it, and by bets on right or wrong."""
    market = Hidden(seed, 4 * HOUR)
    said, other = market.knows(11), market.knows(points)
    challenger, champion = market.scored(said), market.scored(other)
    baselines = market.baselines()
    right, as_right = (((p > 0.5) == (market.up > 0)).astype(np.float64) for p in (said, other))
    better = right - as_right
    bars = challenger.moves.bar[:-1]
    hits = Differences(better, np.ones(len(better)), better, "right", bars, int(bars[-1]))
    return (
        promoted_after(challenger, champion, baselines),
        first(path(by_brier(challenger, champion)) >= THRESHOLD),
        promoted_after(challenger, None, baselines),
        first(path(hits) >= THRESHOLD),
    )


def _rollbacks() -> list[Row]:
    at_once, late = (
        [_rollback(seed, hours) for seed in range(DELAYS // 2)] for hours in (0, 4)
    )  # fmt: skip
    equal = []
    for seed in range(RUNS):
        market, spread = Martingale(seed, HOUR), SPREADS[seed % 3]
        champion, same = market.noise(spread), {"same": market.noise(spread)}
        equal.append(rolled_back_after(champion, same) < NEVER)
    note = f"the best baseline knows 55 %; after 4 good hours {_median(late)}"
    return [
        _delay("champion turned to noise, rolled back after", at_once, HALF_AN_HOUR,
               "half an hour", note),
        _share("champion as good as a baseline, rolled back", equal,
               f"{RUNS} runs of 1 h on the martingale looked at every bar"),
    ]  # fmt: skip


def _rollback(seed: int, hours: int) -> float:
    """Return how long a champion stays that, after good hours, forecasts another market."""
    market, other = (Hidden(seed + i * RUNS, (hours + 4) * HOUR) for i in (0, 1))
    good = np.arange(len(market.up)) < hours * HOUR
    champion = np.where(good, market.knows(6), other.knows(6))
    baselines = {
        "majority": market.scored(np.full(len(good), 0.5)),
        "logistic": market.scored(market.knows(5)),
    }
    return rolled_back_after(market.scored(champion), baselines) - hours * HOUR


def _share(what: str, hit: Sequence[bool], note: str) -> Row:
    return Row(what, float(np.mean(hit)), ALPHA, "of all", "<=", 1, "alpha", note)


def _delay(what: str, bars: Sequence[float], against: float, peer: str, note: str) -> Row:
    runs = f"{len(bars)} runs, 9 of 10 within {np.quantile(bars, 0.9, method='lower'):,.0f}"
    return Row(what, float(np.median(bars)), against, "bars", "<=", 1, peer, f"{note}; {runs}")


def _median(bars: Sequence[float]) -> str:
    return f"{np.median(bars):,.0f}"
