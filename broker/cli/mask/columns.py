"""Options that tell how the columns of a file are read."""

from __future__ import annotations

from typing import Annotated

import typer

HeaderRow = Annotated[
    str, typer.Option(help="表头所在行，如 3 或 2-3 / row of the column names, such as 3 or 2-3")
]
Sheet = Annotated[str, typer.Option(help="工作表，默认第一张 / worksheet, the first by default")]
Encoding = Annotated[str, typer.Option(help="CSV 的编码，默认自动识别 / encoding of a CSV, found by default")]
