"""Statements of acts, and under which epoch decisions were recorded (docs/exchange-cycle.md, One epoch)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from broker.audit.verify.remarks import Nature, Remark, of_statement
from broker.audit.verify.said import Said
from broker.audit.verify.ties import End, Known, Relation, key_of
from broker.errors import VerificationFailed
from broker.model import EntryKind
from broker.receipt.log_keys import parse_succession

ACT, DECISION = range(2)
NO_EPOCH = -1

_KEY = key_of("epoch")
_BUNDLE_DIGITS = 16
"""Of a bundle's hash, for comparison: 64 bits."""


def genesis(said: Said) -> Iterator[Remark | End]:
    """Leaf 0, and no other, says which log this is and under which key it began."""
    if said.index:
        zh, en = "创始陈述只能是第 0 条", "is a genesis statement, which only leaf 0 may be"
        yield of_statement(Nature.CONTRADICTORY, said.index, "kind", zh, en)
    elif said.content["origin"] != said.anchors.keys.name:
        zh, en = "创始陈述属于另一日志", "is the genesis statement of another log"
        yield of_statement(Nature.FORGED, said.index, "origin", zh, en)
    elif said.content["verifier_key"] not in map(str, said.anchors.keys.keys):
        zh, en = "日志不是以所信任的公钥开始的", "did not begin the log under a key that is trusted"
        yield of_statement(Nature.FORGED, said.index, "verifier_key", zh, en)


def log_key(said: Said) -> Iterator[Remark | End]:
    """Both keys have signed that one succeeds the other, from the leaf on that says so."""
    try:
        succession = parse_succession(str(said.content["succession"]))
    except VerificationFailed as error:
        zh, _, en = str(error).partition(" / ")
        yield of_statement(Nature.FORGED, said.index, "succession", zh, en)
        return
    if succession.leaf_index != said.index or str(succession.new) != said.content["verifier_key"]:
        zh, en = "与所签的密钥更替不一致", "contradicts the succession that was signed"
        yield of_statement(Nature.CONTRADICTORY, said.index, "verifier_key", zh, en)
    elif succession not in said.anchors.keys.successions:
        zh, en = "密钥更替与所信任的公钥无关", "is a succession to which no trusted key leads"
        yield of_statement(Nature.FORGED, said.index, "succession", zh, en)


def act(said: Said) -> Iterator[Remark | End]:
    """An act puts the next epoch in force."""
    yield _end(said, ACT, said.content["epoch"], said.content["bundle"])


def decision(said: Said) -> Iterator[Remark | End]:
    """A decision was recorded under the epoch in force, by its bundle; logs older than epochs name none."""
    made = said.content["decision"]
    yield _end(said, DECISION, made.get("epoch", NO_EPOCH), made["bundle"])


def judge(ends: Sequence[End], known: Known) -> Iterator[Remark]:
    """Acts and decisions of the whole log. What was decided before the first act is older than epochs."""
    force: End | None = None
    for end in ends:
        if end.role == ACT:
            if force and end.number != force.number + 1 and not _hidden_between(force, end, known):
                zh, en = "生效序号不连续", "does not put the next epoch in force"
                yield of_statement(Nature.CONTRADICTORY, end.leaf, "epoch", zh, en)
            force = end
        elif force and not _same(end, force) and not _hidden_between(force, end, known):
            zh, en = "不是当时的生效序号或策略包", "was not decided under the epoch and bundle in force"
            yield of_statement(Nature.CONTRADICTORY, end.leaf, "decision", zh, en)


EPOCH = Relation(judge, runs=True)


def _same(end: End, force: End) -> bool:
    return (end.number, end.fact) == (force.number, force.fact)


def _hidden_between(force: End, end: End, known: Known) -> bool:
    """Whether an act may have been erased; only the evidence as a whole can tell, so this leans to yes."""
    return known.hides(force.leaf, EntryKind.EPOCH) and end.number > force.number


def _end(said: Said, role: int, number: int, bundle: str) -> End:
    return End("epoch", _KEY, said.index, role, number, int(bundle[:_BUNDLE_DIGITS], 16))
