"""What-ifs: replays with changed settings. Checks and parses the changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from streaming.errors import ConfigError
from trainers.config import SessionConfig
from trainers.config.learners import section_and_setting

# The session's settings that a what-if may change, besides the learners' own; the stream and the
# times of the cycles are those of the record.
TUNABLE = ("features", "confidence", "fee_bps", "history_bars", "learners", "seed")


def changed(config: SessionConfig, changes: Mapping[str, str]) -> SessionConfig:
    """Return a session's settings with changes.

    Raises:
        ConfigError: if a value is wrong, or a setting may not be changed.
    """
    for name, value in changes.items():
        as_it_was = str(config.flat.get(name)) == value
        if name not in TUNABLE and section_and_setting(name) is None and not as_it_was:
            raise ConfigError(
                f"{name}: got {value!r}; a replay keeps the stream and the cycles of the record;"
                f" allowed: {', '.join((*TUNABLE, 'cnn_*', 'dqn_*', 'learner.NAME.*'))}"
            )
    return config.changed(**changes)


def difference(config: SessionConfig, recorded: SessionConfig) -> str:
    """Return the settings that differ from the recorded ones as a text; empty if none does."""
    now, then = config.flat, recorded.flat
    return ", ".join(f"{name}={now[name]}" for name in now if now[name] != then.get(name))


def split_arguments(argv: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Split a command line into the replay's own flags and the session's settings to change.

    >>> split_arguments(["--session", "last", "--cnn_updates=9"])
    (['--session', 'last'], {'cnn_updates': '9'})
    """
    words = [part for word in argv for part in (word.split("=", 1) if word[:2] == "--" else [word])]
    own, changes = [], {}
    for i, word in enumerate(words):
        if _is_setting(word) and i + 1 < len(words):
            changes[word[2:]] = words[i + 1]
        elif not (i and words[i - 1][:2] == "--" and words[i - 1][2:] in changes):
            own.append(word)
    return own, changes


def _is_setting(word: str) -> bool:
    name = word[2:]
    known = name in SessionConfig.flags() or section_and_setting(name) is not None
    return word[:2] == "--" and known
