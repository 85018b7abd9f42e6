"""Decides whether a challenger replaces the champion, and whether the champion may stay. Pure.

    settled bars -> differences -> evidence -> pairs -> comparisons -> verdict

A challenger has to be proven better than the champion, by a test that stays valid when it is looked
at after every bar. That alone would let a model that knows nothing replace one that is even worse,
so the challenger must also be proven better than all baselines but the best, and be ahead of the
best one on the same bars. Proof against the best one as well would delay good promotions: a
baseline that knows nearly as much as a good challenger would hold it up for hours, however bad the
champion is. Where nothing can be known, several baselines forecast just that, and the challenger
has to beat all but one of them.

Without a champion the challenger has to be proven better than every baseline, each at the full
alpha: if it is not better than some baseline, it is promoted only when the test against that one
errs. (The intersection-union test: R. Berger, Technometrics 24, 1982.)

The chance that a champion is ever replaced by a challenger that is not better is at most alpha over
its whole life: the k-th challenge gets alpha / (k (k + 1)), and these sum to alpha.

Callers compare only the bars since a test began: no others may count in it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from trainers.scoring.promotion.lagged import Lagged
from trainers.scoring.promotion.pairwise import CHAMPION, Comparisons, Pairwise, bars_left
from trainers.scoring.promotion.verdict import Verdict, VerdictWord

ALPHA = 0.05


def judge_challenger(comparisons: Comparisons, *, challenge: int, alpha: float = ALPHA) -> Verdict:
    """Judge a challenger on the bars since its test began.

    ``keep`` is not final: a challenger that keeps learning may be promoted later.

    Args:
        comparisons: with the baselines, and with the champion under the name ``CHAMPION``, if
            there is one.
        challenge: 1 for the first challenge of a champion, 2 for the second, ...
        alpha: chance of a false promotion over the champion's life, in (0, 1).
    """
    threshold = math.log(challenge * (challenge + 1) / alpha)
    rivals, champion = comparisons.rivals(), comparisons.pairs.get(CHAMPION)
    best = min(rivals, key=lambda pair: pair.lead, default=None)
    pairs = rivals if champion is None else [champion, *rivals]
    if not pairs:
        return Verdict("wait", "nothing to be compared with", 0.0, threshold, 0, None, None)
    lost = max(pairs, key=lambda pair: pair.lost.log_value)
    if lost.lost.log_value >= threshold:
        return _verdict("keep", f"{lost.against} is better", lost, lost.lost, threshold)
    # An only baseline must be beaten with proof: no other would guard against promoting noise.
    spared = best if champion is not None and len(rivals) > 1 else None
    return _proven([pair for pair in pairs if pair is not spared], best, threshold)


def judge_champion(comparisons: Comparisons, *, alpha: float = ALPHA) -> Verdict:
    """Judge a champion on the bars since it began to serve.

    It is rolled back once some baseline is proven better, each at its share of alpha: the chance
    that a champion is ever rolled back although no baseline is better is at most alpha.

    Args:
        comparisons: with the baselines.
        alpha: chance of a false rollback over the champion's life, in (0, 1).
    """
    threshold = math.log(max(len(comparisons.pairs), 1) / alpha)
    rivals = comparisons.rivals()
    if not rivals:
        return Verdict("keep", "nothing to be compared with", 0.0, threshold, 0, None, None)
    worst = max(rivals, key=lambda pair: pair.lost.log_value)
    if worst.lost.log_value >= threshold:
        return _verdict("rollback", f"{worst.against} is better", worst, worst.lost, threshold, 0)
    left = bars_left(worst.lost, threshold)
    reason = f"{worst.against} is not proven better"
    return _verdict("keep", reason, worst, worst.lost, threshold, left)


def _proven(needed: Sequence[Pairwise], best: Pairwise | None, threshold: float) -> Verdict:
    """Return ``promote`` if all needed comparisons are proven and the best baseline is behind."""
    least = min(needed, key=lambda pair: pair.won.log_value)
    if least.won.log_value < threshold:
        pace = [bars_left(pair.won, threshold) for pair in needed]
        known = [bars for bars in pace if bars is not None]
        left = max(known) if len(known) == len(pace) else None
        reason = f"not proven better than {least.against}"
        return _verdict("wait", reason, least, least.won, threshold, left)
    names = ", ".join(pair.against for pair in needed)
    if best is None:
        return _verdict("promote", f"better than {names}", least, least.won, threshold, 0)
    lead = f"{best.against} by {abs(best.lead):.2g} {best.unit} a bar"
    if best.lead > 0:
        reason = f"better than {names}, ahead of {lead}"
        return _verdict("promote", reason, least, least.won, threshold, 0)
    reason = f"better than {names}, but behind {lead}"
    return _verdict("wait", reason, least, least.won, threshold)


def _verdict(
    decision: VerdictWord,
    reason: str,
    pair: Pairwise,
    evidence: Lagged,
    threshold: float,
    left: int | None = None,
) -> Verdict:
    """Return a verdict that rests on one evidence of a pair, with its numbers in the reason."""
    log_e = evidence.log_value
    text = f"{reason}: log E {log_e:z.2f} of {threshold:.2f} after {pair.bars:,} bars"
    if left:
        text += f", about {left:,} bars to go at this pace"
    return Verdict(decision, text, log_e, threshold, pair.bars, pair.against, left)
