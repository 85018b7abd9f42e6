"""Generates MLproject from the config records, so that each default has one source.

python -m trainers.session.mlproject > MLproject
"""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import yaml

from streaming.program.settings import Settings
from trainers.config import PageConfig, SessionConfig
from trainers.config.arena import ArenaConfig
from trainers.config.backtest import BacktestConfig
from trainers.config.export import ExportConfig
from trainers.config.fleet import FleetConfig
from trainers.config.pretraining.settings import PretrainConfig
from trainers.config.tune import TuneConfig
from trainers.promotion.__main__ import PromoteConfig

# The parameters of the entry points ``page`` and ``record``.
PAGE_PARAMETERS = tuple(PageConfig.flags())
RECORD_PARAMETERS = (
    "source", "symbols", "venue_ws", "venue_rest", "channel", "speed", "cycles", "seed",
)  # fmt: skip

# The entry points that are modules with a config of their own.
PROGRAMS = {
    "backtest": ("trainers.research.backtest", BacktestConfig),
    "tune": ("trainers.research.tune", TuneConfig),
    "pretrain": ("trainers.research.pretraining", PretrainConfig),
    "arena": ("trainers.research.arena", ArenaConfig),
    "fleet": ("trainers.session.fleet", FleetConfig),
    "export": ("tickloop.export", ExportConfig),
}


def project() -> dict[str, Any]:
    """Return the content of MLproject as plain data."""
    settings = _defaults(SessionConfig)
    main = "python -m trainers.session"
    off = " --learners none --page_port 0 --mlflow_ui_port 0"
    return {
        "name": "tickloop",
        "conda_env": "conda.yaml",
        "entry_points": {
            "main": _entry(main, settings),
            "record": _entry(main + off, {name: settings[name] for name in RECORD_PARAMETERS}),
            "replay": _entry("python -m trainers.replay", {"session": "last"}),
            **{
                name: _entry(f"python -m {module}", _defaults(config))
                for name, (module, config) in PROGRAMS.items()
            },
            "promote": _entry(
                "python -m trainers.promotion",
                {field.name: field.default for field in dataclasses.fields(PromoteConfig)},
            ),
            "page": _entry(
                "python -m ui.app", {"session": "last", **{n: settings[n] for n in PAGE_PARAMETERS}}
            ),
        },
    }


def _defaults(config: type[Settings]) -> dict[str, Any]:
    return {name: flag["default"] for name, flag in config.flags().items()}


def _entry(command: str, defaults: dict[str, Any]) -> dict[str, Any]:
    flags = "".join(f" --{name} {{{name}}}" for name in defaults)
    parameters = {
        name: {"type": _type(default), "default": default} for name, default in defaults.items()
    }
    return {"parameters": parameters, "command": command + flags}


def _type(default: Any) -> str:
    return "float" if type(default) in (int, float) else "string"


if __name__ == "__main__":
    yaml.safe_dump(project(), sys.stdout, sort_keys=False, width=100)
