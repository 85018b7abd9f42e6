"""What became of each request, and what can be asked for now. Pure.

A request is a tag ``control/<name>`` on the session's run until the trainer takes it, and
``control_result/<name>`` afterwards; ``control_asked/<name>`` says who asked the page, and when. So
every viewer sees the same:

    requested -> applied or refused
    requested -> being made -> applied     promote and rollback, once the registry's record has it
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from trainers.config import SessionConfig
from trainers.names import CONTROL, CONTROL_ASKED, CONTROL_RESULT, Control, Status, Tag
from trainers.states import State
from trainers.tracking.model_reader import VersionRecord
from ui.controls.current_values import VALUES, current_values
from ui.mlflow.session_metrics import SessionMetrics
from ui.views.formatting import duration
from ui.views.view_model import Texts, ViewModel

ENDED = "this session is over; Start resumes it"
WAITING = "waiting for MLflow"
OVERDUE_SECONDS = 180.0  # a version is made in less
CLOCKS_SECONDS = 5.0  # by which the clocks of two processes' records may differ
MOVES = (Control.PROMOTE, Control.ROLLBACK)  # of an alias in the registry

# ``SYMBOL.LEARNER`` of this session -> the versions of its registered model.
Versions = Mapping[str, list[VersionRecord]]


class RequestProgress(NamedTuple):
    """What became of the newest request of a control.

    Attributes:
        text: begins with ``requested``, ``being made``, ``applied`` or ``refused``.
        by: the role that asked the page; empty if somebody else did.
        ts: when it came to that, unix seconds; 0 if nobody knows.
        open: whether it is still to be carried out.
    """

    text: str
    by: str = ""
    ts: float = 0.0
    open: bool = False


def controls(
    config: SessionConfig,
    metrics: SessionMetrics,
    confidence: float,
    versions: Versions,
    now: float,
    over: State | None = None,
    failed: str = "",
) -> ViewModel:
    """Return the state of every control.

    Args:
        config: the session's settings.
        metrics: what MLflow holds.
        confidence: the probability from which a forecast is a signal now.
        versions: the registered versions of each learner.
        now: unix seconds.
        over: how the session ended; None while it runs.
        failed: why the session could not be resumed; empty if it was, or if nobody asked.
    """
    session = metrics.session
    found = {name: request_of(name, metrics, versions, now) for name in Control}
    texts: Texts = {f"control.{name}": request.text for name, request in found.items()}
    ended = f"it could not be started: {failed}" if failed else ENDED
    texts["control.note"] = ended if session and (over or not metrics.running) else ""
    return ViewModel(
        texts,
        {
            "asked": {str(k): [each.by, each.ts] for k, each in found.items() if each.text},
            "cannot": cannot(metrics, [name for name, each in found.items() if each.open], over),
            "values": current_values(config, metrics, confidence),
            "paused": _paused(metrics),
        },
    )


def request_of(
    name: Control, metrics: SessionMetrics, versions: Versions, now: float
) -> RequestProgress:
    """Return what became of the newest request of a control; its text is empty if there is none."""
    tags = metrics.session.tags if metrics.session else {}
    asked, result = (
        _object(tags.get(CONTROL_ASKED + name)),
        _object(tags.get(CONTROL_RESULT + name)),
    )
    by = str(asked.get("by", ""))
    if (value := tags.get(CONTROL + name)) is not None:
        return RequestProgress(
            f"requested{_shown(name, value)}", by, _number(asked.get("ts")), open=True
        )
    if CONTROL_RESULT + name not in tags:
        return RequestProgress("")
    value = str(result.get("value", ""))
    # An answer to another value is to a later request, which somebody else made.
    taken = RequestProgress(
        "", by if asked.get("value", value) == value else "", _number(result.get("ts"))
    )
    if result.get("result") == "refused":
        return taken._replace(text=f"refused: {_reason(name, str(result.get('text', '')))}")
    if result.get("result") != "applied":
        return taken._replace(text="the trainer's answer cannot be read")
    cycle = f" in cycle {result['cycle']}" if "cycle" in result else ""
    if name in MOVES and metrics.session:
        made = _made(name, value, metrics.session.run_id, taken.ts, versions)
        return _move(value, cycle, taken, made, now)
    return taken._replace(text=f"applied{_shown(name, value)}{cycle}")


def _made(
    name: Control, learner: str, session: str, since: float, versions: Versions
) -> dict[str, int | None]:
    """Return the version that was promoted or rolled back in each market; None if none was yet."""
    made: dict[str, int | None] = {}
    for whose, registered in versions.items():
        symbol, _, of = whose.rpartition(".")
        if of == learner:
            made[symbol] = next(
                (
                    version.version
                    for version in registered
                    for entry in version.audit
                    if entry.get("action") == name and entry.get("session") == session
                    and _number(entry.get("ts")) >= since - CLOCKS_SECONDS
                ),
                None,
            )  # fmt: skip
    return made


def _move(
    learner: str, cycle: str, taken: RequestProgress, made: Mapping[str, int | None], now: float
) -> RequestProgress:
    """Return what became of a promotion or a rollback that the trainer has taken."""
    missing = [symbol for symbol, version in made.items() if version is None]
    if made and not missing:
        numbers = ", ".join(f"version {version}" for version in dict.fromkeys(made.values()))
        return taken._replace(text=f"applied {learner}{cycle}: {numbers}")
    which = f" for {', '.join(missing)}" if len(made) > 1 else ""
    if (age := now - taken.ts) > OVERDUE_SECONDS:
        late = f"not in the registry{which} after {duration(age)}: the events may say why"
        return taken._replace(text=late)
    return taken._replace(text=f"being made{which}: {learner}, taken{cycle}", open=True)


def cannot(metrics: SessionMetrics, open_: list[Control], over: State | None) -> dict[str, str]:
    """Return why some controls cannot be asked for now.

    Returns:
        control -> the reason; ``promote SYMBOL.LEARNER`` and ``rollback SYMBOL.LEARNER`` are those
        of one learner.
    """
    if over or not metrics.running:
        reason = ENDED if metrics.session else WAITING
        nothing = metrics.session is None
        return {str(name): reason for name in Control if name != Control.START or nothing}
    reasons = {"start": "the session is running"}
    if _paused(metrics):
        reasons["train_now"] = "training is paused; Resume has it go on"
    for name in open_:
        reasons[str(name)] = "asked for already, and not carried out yet"
    for symbol, runs in metrics.learners.items():
        for learner, run in runs.items():
            if run.cycle is None:
                reasons[f"{Control.PROMOTE} {symbol}.{learner}"] = f"{learner} has not learned yet"
            if not run.tags.get(Tag.CHAMPION):
                reasons[f"{Control.ROLLBACK} {symbol}.{learner}"] = f"{learner} has no champion"
    return reasons


def _paused(metrics: SessionMetrics) -> bool:
    return metrics.session is not None and metrics.session.tags.get(Tag.STATUS) == Status.PAUSED


def _reason(name: Control, text: str) -> str:
    """Return a refusal's reason without the words that stand before it anyway."""
    short = text.removeprefix("refused ").removeprefix(f"{CONTROL}{name}: ")
    return short or "no reason was given"


def _shown(name: Control, value: str) -> str:
    return f" {value}" if name in (*VALUES, *MOVES) and value else ""


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _object(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
