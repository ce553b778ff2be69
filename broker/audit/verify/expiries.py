"""Statements of retention: what was erased because its time was over."""

from __future__ import annotations

from collections.abc import Iterator

from broker.audit.verify.remarks import Nature, Remark, of_statement
from broker.audit.verify.said import Said
from broker.audit.verify.ties import End
from broker.receipt.retention import Expiry, years_before

LAWFUL_YEARS = 3
"""《政务数据共享条例》 art. 29."""


def run(said: Said) -> Iterator[Remark | End]:
    """What was erased are earlier leaves, none of them younger than the law allows."""
    told, years = Expiry.of(said.index, said.content), said.content["years"]
    if not (0 < told.first <= told.last < said.index and 0 < told.count <= told.last - told.first + 1):
        zh, en = "所称删除的存证与其序号不符", "tells of statements that were not there to be erased"
        yield of_statement(Nature.CONTRADICTORY, said.index, "erased", zh, en)
    periods = [own for name in ("datasets", "purposes") for own in said.content.get(name, {}).values()]
    if min(years, *periods, years) < LAWFUL_YEARS or told.before > years_before(said.told.recorded_at, years):
        zh, en = "保存不足三年即删除", "erases what is younger than three years"
        yield of_statement(Nature.CONTRADICTORY, said.index, "before", zh, en)
