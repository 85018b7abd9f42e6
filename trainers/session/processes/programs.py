"""The programs that a session consists of, by their modules: each is a process of its own.

It imports nothing, so that a process may ask before its own imports.
"""

from __future__ import annotations

EXCHANGE = "streaming.exchange"
FEED = "streaming.feed"
LAUNCHER = "trainers.session.processes.launcher"
TRAINER = "trainers.session.trainer"
CANDIDATE = "trainers.promotion.candidate"
PAGE = "ui.app"

# Of a fleet only.
HEAD = "trainers.session.fleet.head"
SHARD = "trainers.session.fleet.node.shard"
DAEMONS = "trainers.session.fleet.node.daemons"
FORKED = "trainers.session.fleet.node.forked"
FORK_SERVER = "trainers.session.fleet.node.fork_server"

# Those that write a session's files.
WRITERS = (EXCHANGE, FEED, TRAINER, LAUNCHER)
