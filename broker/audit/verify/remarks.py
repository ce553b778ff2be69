"""What verification has to say of evidence: a finding, and of what nature it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from broker.reasons import Sentence
from broker.receipt.finding import Finding


class Nature(StrEnum):
    """What kind of thing is wrong, or only to be known."""

    FORGED = "forged"
    """A signature, hash, proof or root does not hold: altered, made up, or rewritten."""
    CONTRADICTORY = "contradictory"
    """What is proved to be in the log contradicts itself, or what the log promises."""
    INCOMPLETE = "incomplete"
    """A part of the evidence is not there, so that nothing can be said of it."""
    OVERDUE = "overdue"
    """All of it holds, but something that was due is not in the log: an outcome, an acknowledgement."""
    ERASED = "erased"
    """Statements were erased, which is allowed; it says what therefore cannot be told."""

    @property
    def said(self) -> Sentence:
        """The nature in words."""
        return _SAID[self]

    @property
    def unverified(self) -> bool:
        """Whether the evidence must not be relied on."""
        return self in (Nature.FORGED, Nature.CONTRADICTORY, Nature.INCOMPLETE)


_SAID = {
    Nature.FORGED: Sentence("伪造或改动", "forged"),
    Nature.CONTRADICTORY: Sentence("自相矛盾", "contradictory"),
    Nature.INCOMPLETE: Sentence("证据不全", "incomplete"),
    Nature.OVERDUE: Sentence("逾期未记", "overdue"),
    Nature.ERASED: Sentence("已删除（允许）", "erased (allowed)"),
}


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing to say. ``finding`` names the place as ``fsck`` does; it repeats no value of a statement."""

    nature: Nature
    finding: Finding


def of_statement(nature: Nature, index: int, member: str, zh: str, en: str) -> Remark:
    """A remark on a statement; ``member`` is the part of it, empty for the whole."""
    return Remark(nature, Finding("statement", f"leaf_index={index}", member, zh, en))


def of_leaf(nature: Nature, index: int, zh: str, en: str) -> Remark:
    """A remark on a leaf."""
    return Remark(nature, Finding("leaf", f"leaf_index={index}", "", zh, en))
