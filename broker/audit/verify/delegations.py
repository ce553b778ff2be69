"""Statements that officers review in another's place: given by that one, taken back by their department."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from broker.audit.verify.remarks import Nature, Remark, of_statement
from broker.audit.verify.said import Said
from broker.audit.verify.ties import End
from broker.receipt.delegations import DELEGATE, REVOKE


def act(said: Said) -> Iterator[Remark | End]:
    """Who acted may do that, and the delegation has a time that was not over when it was given."""
    content = said.content
    officer, caller = content["officer"], content["caller"]
    own = f"/department/{officer['department']}/officer/"
    if content["act"] not in (DELEGATE, REVOKE) or content["delegate"]["uri"] == officer["uri"]:
        zh, en = "不是委托的办理动作", "tells of no such act"
        yield of_statement(Nature.CONTRADICTORY, said.index, "act", zh, en)
    if own not in caller["uri"] or (content["act"] == DELEGATE and caller["uri"] != officer["uri"]):
        zh, en = "办理人无权委托或撤销", "was done by somebody whose it was not"
        yield of_statement(Nature.CONTRADICTORY, said.index, "caller", zh, en)
    begins, ends, now = (
        datetime.fromisoformat(content[name]) for name in ("valid_from", "valid_until", "recorded_at")
    )
    if ends <= begins or (content["act"] == DELEGATE and ends <= now):
        zh, en = "委托期限在委托时已过", "was over when it was given"
        yield of_statement(Nature.CONTRADICTORY, said.index, "valid_until", zh, en)
