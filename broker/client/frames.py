"""From Arrow tables to the data frames of pandas and polars, which are optional extras."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from broker.errors import SetUpError
from broker.transmit.watermark import watermark_of

if TYPE_CHECKING:
    import pandas
    import polars


def to_pandas(table: pa.Table) -> pandas.DataFrame:
    """A pandas frame whose columns keep their Arrow types: an integer beside a missing one stays an integer.
    A watermark is in its ``attrs``.

    Raises:
        SetUpError: pandas is not installed.
    """
    frame: pandas.DataFrame = table.to_pandas(types_mapper=_extra("pandas").ArrowDtype)
    frame.attrs.update(watermark_of(table.schema))
    return frame


def to_polars(table: pa.Table) -> polars.DataFrame:
    """A polars frame over the same memory. It has no place for a watermark.

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
