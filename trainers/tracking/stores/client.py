"""The client of the MLflow store: all that most rooms use of the library, and the store's error.

What else is used of MLflow is private or heavy, and its owners import it themselves: exports of
models, downloads, SQL tables, pages (``tests/test_architecture.py``).
"""

from __future__ import annotations

from mlflow.entities import (
    Dataset,
    DatasetInput,
    LifecycleStage,
    Metric,
    Param,
    Run,
    RunStatus,
    RunTag,
    SourceType,
)
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import (
    MLFLOW_GIT_COMMIT,
    MLFLOW_PARENT_RUN_ID,
    MLFLOW_PROJECT_ENTRY_POINT,
    MLFLOW_RUN_NAME,
    MLFLOW_RUN_NOTE,
    MLFLOW_SOURCE_NAME,
    MLFLOW_SOURCE_TYPE,
)
from mlflow.utils.validation import MAX_PARAM_VAL_LENGTH, MAX_PARAMS_TAGS_PER_BATCH

from streaming.errors import TickloopError

__all__ = [
    "MAX_PARAMS_TAGS_PER_BATCH",
    "MAX_PARAM_VAL_LENGTH",
    "MLFLOW_GIT_COMMIT",
    "MLFLOW_PARENT_RUN_ID",
    "MLFLOW_PROJECT_ENTRY_POINT",
    "MLFLOW_RUN_NAME",
    "MLFLOW_RUN_NOTE",
    "MLFLOW_SOURCE_NAME",
    "MLFLOW_SOURCE_TYPE",
    "Dataset",
    "DatasetInput",
    "LifecycleStage",
    "Metric",
    "MlflowClient",
    "MlflowException",
    "ModelVersion",
    "Param",
    "Run",
    "RunStatus",
    "RunTag",
    "SourceType",
    "StoreError",
]


class StoreError(TickloopError):
    """The MLflow store cannot be used: show the text, which is one line, and exit with code 2."""

    exit_code = 2
