"""From Arrow tables to the data frames of pandas and polars, which are optional extras."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from broker.errors import SetUpError

if TYPE_CHECKING:
    import pandas
    import polars


def to_pandas(table: pa.Table) -> pandas.DataFrame:
    """A pandas frame whose columns keep their Arrow types: an integer beside a missing one stays an integer.

    Raises:
        SetUpError: pandas is not installed.
    """
    return table.to_pandas(types_mapper=_extra("pandas").ArrowDtype)


def to_polars(table: pa.Table) -> polars.DataFrame:
    """A polars frame over the same memory.

    Raises:
        SetUpError: polars is not installed.
    """
    frame: polars.DataFrame = _extra("polars").from_arrow(table)
    return frame


def _extra(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError:
        raise SetUpError(
            f"未安装 {name}，请执行 pip install 'sharebroker[{name}]'。",
            f"{name} is not installed; run pip install 'sharebroker[{name}]'.",
        ) from None
