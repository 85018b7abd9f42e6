"""One thing that somebody wants to be told: who, what, compared how, for how long.

any learner status is ERROR
cnn live/edge > 0 for 10 min
stream gaps rises
session event says "the canary is off chance"
"""

from __future__ import annotations

import dataclasses
import math

from streaming.errors import KnobError
from streaming.knobs import Knobs, knob

ANY, STREAM, SESSION = "any", "stream", "session"
STATUS, EVENT, CHAMPION, STATE = "status", "event", "champion", "state"
TEXTS = (STATUS, EVENT, CHAMPION, STATE)  # everything else is a number

NUMERIC = (">", ">=", "<", "<=")
HOWS = (*NUMERIC, "is", "is not", "rises", "changes", "says")
AT_ONCE = ("rises", "changes", "says")  # something happened; there is nothing to wait for
NO_VALUE = ("rises", "changes")

LONGEST = 200  # characters of a name or a text
STEADY_SECONDS = 60.0
STEADIEST_SECONDS = 600.0

Value = float | str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rule(Knobs):
    """A rule; a wrong field is one line that says what is allowed.

    Raises:
        KnobError: if it could never be true.
    """

    who: str = knob(ANY, "a learner's name, any (of them), stream or session")
    what: str = knob("live/edge", "a metric; status, champion, event, state; a stream's counter")
    how: str = knob(">", "the comparison", choices=HOWS)
    value: str = knob("0", "a number, or a text to compare with or to look for")
    seconds: float = knob(0.0, "how long it must stay so", unit="s", low=0, high=86_400)
    symbol: str = knob("", "the market; each of them if empty")
    on: bool = knob(True, "whether it is looked at")

    def __post_init__(self) -> None:
        for name in ("who", "what", "value", "symbol"):
            text = " ".join(str(getattr(self, name)).split())  # a name is one line
            object.__setattr__(self, name, text)
            if len(text) > LONGEST:
                raise KnobError(f"{name}: got {len(text)} characters; allowed: {LONGEST}")
        super().__post_init__()
        if self.how in NO_VALUE:
            object.__setattr__(self, "value", "")
        if self.how in AT_ONCE:
            object.__setattr__(self, "seconds", 0.0)
        self._check()

    def _check(self) -> None:
        if not self.who or not self.what:
            raise KnobError(f"{'what' if self.who else 'who'}: got nothing; allowed: a name")
        allowed = hows(self.what)
        if self.how not in allowed:
            raise KnobError(f"how: got {self.how!r}; of {self.what} allowed: {', '.join(allowed)}")
        if self.how in NUMERIC and not math.isfinite(_number(self.value)):
            raise KnobError(f"value: got {self.value!r}; allowed with {self.how}: a number")
        if self.how not in NO_VALUE and not self.value:
            raise KnobError(f"value: got nothing; allowed with {self.how}: a text")

    @property
    def text(self) -> str:
        """The rule as a person says it."""
        who = "any learner" if self.who == ANY else self.who
        value = f'"{self.value}"' if self.how == "says" else self.value
        words = [self.symbol, who, self.what, self.how, value]
        length = f"for {_length(self.seconds)}" if self.seconds else ""
        return " ".join(word for word in (*words, length) if word)

    @property
    def steady_seconds(self) -> float:
        """How long it must be untrue until it counts as over, so that it does not flap."""
        return min(max(self.seconds, STEADY_SECONDS), STEADIEST_SECONDS)

    def holds(self, value: Value, before: Value | None) -> bool:
        """Return whether the rule is true of ``value``, which was ``before`` at the last look."""
        match self.how:
            case "is" | "is not":
                same = _text(value).casefold() == self.value.casefold()
                return same == (self.how == "is")
            case "says":
                return self.value.casefold() in _text(value).casefold()
            case "changes":
                return before is not None and value != before
            case "rises":
                return before is not None and _number(value) > _number(before)
        number, threshold = _number(value), float(self.value)
        return {
            ">": number > threshold,
            ">=": number >= threshold,
            "<": number < threshold,
            "<=": number <= threshold,
        }[self.how]


def _length(seconds: float) -> str:
    """Write a length of time exactly: ``90 s``, ``10 min``, ``1 h``."""
    for unit, name in ((3600, "h"), (60, "min")):
        if seconds % unit == 0:
            return f"{seconds / unit:g} {name}"
    return f"{seconds:g} s"


def hows(what: str) -> tuple[str, ...]:
    """Return the comparisons that make sense of ``what``."""
    if what == EVENT:
        return ("says",)
    return ("is", "is not", "changes") if what in TEXTS else (*NUMERIC, "rises")


def _number(value: Value) -> float:
    try:
        return float(value)
    except ValueError:
        return math.nan


def _text(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:g}"


# What a new project watches: shown in the page, and sent once there is an address.
DEFAULTS = {
    "learner-error": Rule(what=STATUS, how="is", value="ERROR"),
    "stream-stale": Rule(who=STREAM, what=STATUS, how="is", value="STALE"),
    "canary": Rule(who=SESSION, what=EVENT, how="says", value="the canary is off chance"),
    "champion": Rule(what=CHAMPION, how="changes", value=""),
}
