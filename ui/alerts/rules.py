"""An alert rule: a condition on one kind of sample, and how long it must last.

any learner state is failed
cnn live/edge > 0 for 10 min
stream gaps rises
session event is leak_alarm

The fields ``who``, ``what`` and ``how`` are the API's words for subject, sample and operator.
"""

from __future__ import annotations

import dataclasses
import math

from streaming.errors import ConfigError
from streaming.events import Code
from streaming.program.settings import Settings, setting
from trainers.states import State
from ui.views.formatting import exact_duration

ANY, STREAM, SESSION = "any", "stream", "session"
STATUS, EVENT, CHAMPION, STATE = "status", "event", "champion", "state"
TEXTS = (STATUS, EVENT, CHAMPION, STATE)  # every other sample is a number

NUMERIC = (">", ">=", "<", "<=")
OPERATORS = (*NUMERIC, "is", "is not", "rises", "changes")
AT_ONCE = ("rises", "changes")  # true at one evaluation only; they take neither value nor seconds
# What the state of a stream was called before -> its state.
STATE_OF_STATUS = {
    "STALE": State.STALLED,
    "RECONNECTING": State.STALLED,
    "CONNECTING": State.STARTING,
    "CONNECTED": State.LIVE,
    "ENDED": State.ENDED,
}
CODES = tuple(code.value for code in Code)

LONGEST = 200  # characters of a name or a text
RECONNECT_SECONDS = 10.0  # a connection that was lost is back by then, as a rule
STEADY_SECONDS = 60.0
STEADIEST_SECONDS = 600.0

Value = float | str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rule(Settings):
    """An alert rule; a wrong field is refused in one line that says what is allowed.

    Raises:
        ConfigError: if the rule could never be true.
    """

    who: str = setting(ANY, "a learner's name, any (of them), stream or session")
    what: str = setting("live/edge", "a metric; status, state, champion, event; a stream's counter")
    how: str = setting(">", "the comparison", choices=OPERATORS)
    value: str = setting("0", "a number, a text, or the code of an event")
    seconds: float = setting(0.0, "how long it must stay so", unit="s", low=0, high=86_400)
    symbol: str = setting("", "the market; each of them if empty")
    on: bool = setting(True, "whether it is evaluated")

    def __post_init__(self) -> None:
        for name in ("who", "what", "value", "symbol"):
            text = " ".join(_text_of(name, getattr(self, name)).split())  # a name is one line
            object.__setattr__(self, name, text)
            if len(text) > LONGEST:
                raise ConfigError(f"{name}: got {len(text)} characters; allowed: {LONGEST}")
        super().__post_init__()
        if (self.who, self.what) == (STREAM, STATUS):  # a rule from before there was one state
            object.__setattr__(self, "what", STATE)
            word = STATE_OF_STATUS.get(self.value.upper(), self.value)
            object.__setattr__(self, "value", word)
        if self.how in AT_ONCE:
            object.__setattr__(self, "value", "")
        if self.at_once:
            object.__setattr__(self, "seconds", 0.0)
        self._check()

    def _check(self) -> None:
        if not self.who or not self.what:
            raise ConfigError(f"{'what' if self.who else 'who'}: got nothing; allowed: a name")
        allowed = operators_for(self.what)
        if self.how not in allowed:
            raise ConfigError(
                f"how: got {self.how!r}; of {self.what} allowed: {', '.join(allowed)}"
            )
        if self.what == EVENT and self.who != SESSION:
            raise ConfigError(f"who: got {self.who!r}; allowed with event: session")
        if self.what == EVENT and self.value not in CODES:
            raise ConfigError(f"value: got {self.value!r}; allowed of event: {', '.join(CODES)}")
        if self.how in NUMERIC and not math.isfinite(_number(self.value)):
            raise ConfigError(f"value: got {self.value!r}; allowed with {self.how}: a number")
        if self.how not in AT_ONCE and not self.value:
            raise ConfigError(f"value: got nothing; allowed with {self.how}: a text")

    @property
    def text(self) -> str:
        """The rule as a person reads it."""
        who = "any learner" if self.who == ANY else self.who
        words = [self.symbol, who, self.what, self.how, self.value]
        length = f"for {exact_duration(self.seconds)}" if self.seconds else ""
        return " ".join(word for word in (*words, length) if word)

    @property
    def at_once(self) -> bool:
        """Whether the rule is about something that happens, so that there is no end to wait for."""
        return self.how in AT_ONCE or self.what == EVENT

    @property
    def steady_seconds(self) -> float:
        """How long the rule must be untrue before its alert is over, so that it does not flap."""
        return min(max(self.seconds, STEADY_SECONDS), STEADIEST_SECONDS)

    def is_true(self, value: Value, before: Value | None) -> bool:
        """Return whether the rule is true of ``value``.

        Args:
            value: the sample now. It is the code where the sample is an event.
            before: the sample when it was last known, None if it never was.
        """
        match self.how:
            case "is" | "is not":
                same = _text(value).casefold() == self.value.casefold()
                return same == (self.how == "is")
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


def operators_for(what: str) -> tuple[str, ...]:
    """Return the operators that make sense of a sample."""
    if what == EVENT:
        return ("is",)
    return ("is", "is not", "changes") if what in TEXTS else (*NUMERIC, "rises")


def _text_of(name: str, value: object) -> str:
    """Return a field as text; the value may be a number.

    Raises:
        ConfigError: if it is something else, or no text that a file can hold.
    """
    a_number = isinstance(value, int | float) and not isinstance(value, bool)
    wanted = "text or a number" if name == "value" else "text"
    if not isinstance(value, str) and not (a_number and name == "value"):
        raise ConfigError(f"{name}: expected {wanted}; got {value!r}")
    text = str(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"{name}: expected {wanted}; got half a character in {value!r}") from None
    return text


def _number(value: Value) -> float:
    try:
        return float(value)
    except ValueError:
        return math.nan


def _text(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:g}"


# The rules of a new project: shown in the page, and sent once there is an address.
DEFAULTS = {
    "learner-error": Rule(what=STATE, how="is", value=State.FAILED),
    "stream-stale": Rule(
        who=STREAM, what=STATE, how="is", value=State.STALLED, seconds=RECONNECT_SECONDS
    ),
    "leak": Rule(who=SESSION, what=EVENT, how="is", value=Code.LEAK_ALARM),
    "champion": Rule(what=CHAMPION, how="changes", value=""),
}
