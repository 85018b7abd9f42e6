"""The settings of a session, in sections: ``session`` for all of it, ``learners`` for one each."""

from trainers.config.session import (
    PageConfig,
    SessionConfig,
    TrainingConfig,
    host_names,
    session_folder,
)

__all__ = ["PageConfig", "SessionConfig", "TrainingConfig", "host_names", "session_folder"]
