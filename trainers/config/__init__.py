"""The settings of a session: ``session`` has the record, ``learners`` the learners' sections."""

from trainers.config.session import (
    PageConfig,
    SessionConfig,
    TrainingConfig,
    host_names,
    session_folder,
)

__all__ = ["PageConfig", "SessionConfig", "TrainingConfig", "host_names", "session_folder"]
