"""Statements that auditors were given receipts to read: nobody was given what was not recorded yet."""

from __future__ import annotations

from collections.abc import Iterator

from broker.audit.verify.remarks import Nature, Remark, of_statement
from broker.audit.verify.said import Said
from broker.audit.verify.ties import End


def read(said: Said) -> Iterator[Remark | End]:
    """What was given are earlier leaves, no more than lie between the first and the last of them."""
    given, reader = said.content["given"], said.content["reader"]
    _ = reader["uri"], reader["department"], said.content["filters"]
    if not given["count"]:
        return
    first, last = given["first"], given["last"]
    if not 0 <= first <= last < said.index or given["count"] > last - first + 1:
        zh, en = "所查阅的存证与其序号不符", "tells of receipts that were not there to be read"
        yield of_statement(Nature.CONTRADICTORY, said.index, "given", zh, en)
