"""Whether a challenger replaces the champion, and whether a champion may stay. Pure.

    scored forecasts -> differences -> evidence -> pairs -> verdict

A challenger has to be proven better than the champion, by a test that may be looked at after every
bar. That alone would let a model which knows nothing replace one that is worse than nothing, so it
also has to be proven better than all baselines but the best, and be ahead of the best on the same
bars. Proof against the best too would delay what is certain: a baseline that knows nearly as
much as a good challenger holds it up for hours, whatever the champion is worth. Where nothing can
be known several baselines say so, and all but one of them have to be beaten.

Without a champion it has to be proven better than every baseline, each at the full alpha: one that
is not better than some baseline is promoted only if the test against that very one errs. (The
intersection-union test: R. Berger, Technometrics 24, 1982.)

The chance that a champion is ever replaced by one that is not better is at most alpha over its
whole life: its k-th challenger gets alpha / (k (k + 1)), which sums to alpha.

Callers cut what they pass by ``Scored.since``: only bars after a test began may count in it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from trainers.scoring.direction.edge import ENOUGH
from trainers.scoring.promotion.differences import Compare, by_brier
from trainers.scoring.promotion.eprocess import Evidence
from trainers.scoring.promotion.pairwise import Pairwise, bars_left, pairwise_of
from trainers.scoring.promotion.verdict import Decision, Verdict
from trainers.scoring.scored import Scored

ALPHA = 0.05
CHAMPION = "champion"


def judge_challenger(
    challenger: Scored,
    champion: Scored | None,
    baselines: Mapping[str, Scored],
    *,
    challenge: int,
    alpha: float = ALPHA,
    compare: Compare = by_brier,
) -> Verdict:
    """Judge a challenger on the bars since its test began.

    ``keep`` is not for good: a challenger that goes on learning may be promoted later.

    Args:
        challenger: its forecasts and the moves, ``(T,)`` bars.
        champion: the champion's, of the same bars; None if there is none yet.
        baselines: theirs by name, of the same bars.
        challenge: 1 for a champion's first challenger, 2 for its second, ...
        alpha: chance of a false promotion over the champion's life, in (0, 1).
        compare: ``by_brier``, or of agents ``by_profit(fee_bps)``.
    """
    threshold = math.log(challenge * (challenge + 1) / alpha)
    rivals = _pairs(challenger, baselines, compare)
    best = min(rivals, key=lambda pair: pair.lead, default=None)
    pairs = rivals
    if champion is not None:
        pairs = [pairwise_of(CHAMPION, challenger, champion, compare), *rivals]
    if not pairs:
        return Verdict("wait", "nothing to be compared with", 0.0, threshold, 0, None, None)
    lost = max(pairs, key=lambda pair: pair.lost.log_value)
    if lost.lost.log_value >= threshold:
        return _verdict("keep", f"{lost.against} is better", lost, lost.lost, threshold)
    # A baseline that is the only one has to be beaten as well.
    spared = best if champion is not None and len(rivals) > 1 else None
    return _proven([pair for pair in pairs if pair is not spared], best, threshold)


def judge_champion(
    champion: Scored,
    baselines: Mapping[str, Scored],
    *,
    alpha: float = ALPHA,
    compare: Compare = by_brier,
) -> Verdict:
    """Judge a champion on the bars since it began to serve.

    It is rolled back once some baseline is proven better, each at its share of alpha: the chance
    that one is rolled back over its whole life though no baseline is better is alpha at most.

    Args:
        champion: its forecasts and the moves, ``(T,)`` bars.
        baselines: theirs by name, of the same bars.
        alpha: in (0, 1).
        compare: ``by_brier``, or of agents ``by_profit(fee_bps)``.
    """
    threshold = math.log(max(len(baselines), 1) / alpha)
    rivals = _pairs(champion, baselines, compare)
    if not rivals:
        return Verdict("keep", "nothing to be compared with", 0.0, threshold, 0, None, None)
    worst = max(rivals, key=lambda pair: pair.lost.log_value)
    if worst.lost.log_value >= threshold:
        return _verdict("rollback", f"{worst.against} is better", worst, worst.lost, threshold, 0)
    left = bars_left(worst.lost, threshold)
    reason = f"{worst.against} is not proven better"
    return _verdict("keep", reason, worst, worst.lost, threshold, left)


def _pairs(ours: Scored, baselines: Mapping[str, Scored], compare: Compare) -> list[Pairwise]:
    """Return a pair with each baseline; one that missed most of our bars cannot be judged by."""
    bars = len(compare(ours, ours).better)
    pairs = [pairwise_of(name, ours, baseline, compare) for name, baseline in baselines.items()]
    return [pair for pair in pairs if pair.bars and pair.bars >= ENOUGH * bars]


def _proven(needed: Sequence[Pairwise], best: Pairwise | None, threshold: float) -> Verdict:
    """Judge by whether all that is needed is proven, and the best baseline behind."""
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
    decision: Decision,
    reason: str,
    pair: Pairwise,
    evidence: Evidence,
    threshold: float,
    left: int | None = None,
) -> Verdict:
    """Return a verdict that rests on one side's evidence in a pair, its numbers in the words."""
    log_e = evidence.log_value
    said = f"{reason}: log E {log_e:.2f} of {threshold:.2f} after {pair.bars} bars"
    if left:
        said += f", about {left} to go at this pace"
    return Verdict(decision, said, log_e, threshold, pair.bars, pair.against, left)
