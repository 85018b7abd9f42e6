"""What a model version says of itself in MLflow: its input, its output, how to ask it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from datamodules.features import RAW_COLUMNS

SERVED_AT = 5001  # the port of the examples
ENDPOINT = "get_bars_for_model"  # of the page; it answers with the body of a request to the model


def metadata(bars: int, outputs: Sequence[str]) -> dict[str, Any]:
    """Return what programs read in the model's own file.

    Args:
        bars: the number of bars that the model takes.
        outputs: the names of its output's columns.
    """
    return {"bars": bars, "columns": list(RAW_COLUMNS), "outputs": list(outputs)}


def model_card(
    name: str, symbol: str, learner: str, bars: int, outputs: Sequence[str], run: Mapping[str, str]
) -> str:
    """Return a version's description, in Markdown.

    Args:
        name: the registered model's name.
        symbol: the market.
        learner: the learner's name.
        bars: the number of bars that the model takes.
        outputs: the names of its output's columns.
        run: the params of the learner's run.
    """
    seconds, horizon = run.get("bar_seconds", "1"), run.get("horizon", "1")
    length = "one" if seconds == "1" else seconds
    ahead = "the bar" if horizon == "1" else f"the move over the {horizon} bars"
    columns = ", ".join(f"`{column}`" for column in RAW_COLUMNS)
    told = ", ".join(f"`{output}`" for output in outputs) or "see the learner"
    query = urlencode({"symbol": symbol, "bars": bars})
    page = f"http://127.0.0.1:{run.get('page_port') or 7860}/{ENDPOINT}?{query}"
    return f"""{learner} on {symbol}, learned from `{run.get("source", "sim")}`.

**Input**: the newest {bars} whole {length}-second bars without a gap, oldest first, as
`(batch, {bars}, {len(RAW_COLUMNS)})` float64 with the columns {columns}.

**Output**: a row for each of the batch, about {ahead} after the newest, with the columns {told}.

```sh
mlflow models serve -m models:/{name}@challenger --env-manager local -p {SERVED_AT}
curl -sf '{page}' |
  curl -s -H 'Content-Type: application/json' -d @- http://127.0.0.1:{SERVED_AT}/invocations
```
"""
