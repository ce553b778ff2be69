"""Signed heads as evidence: who must have signed and cosigned them."""

from __future__ import annotations

from broker.audit.verify.evidence import DatabasePlace, FolderPlace, Place
from broker.audit.verify.remarks import Nature, Remark
from broker.audit.verify.said import Anchors
from broker.errors import VerificationFailed
from broker.model import EntryKind
from broker.receipt import key_history
from broker.receipt.finding import Finding
from broker.receipt.log_keys import MAX_SUCCESSIONS, LogKeys, succession_of
from broker.receipt.note import Checkpoint
from broker.receipt.verify import verify_checkpoint
from broker.receipt.witnesses import cosignatures
from broker.store.snapshot import open_snapshot

Head = tuple[Checkpoint, list[Remark]]


def open_head(note: str, anchors: Anchors) -> Head:
    """A log head that the log's key has signed, and what is wrong with its cosignatures.

    Raises:
        VerificationFailed: it is not signed by a key that the auditor's leads to: nothing holds then.
    """
    checkpoint = verify_checkpoint(note, anchors.keys)
    policy = anchors.witnesses
    if policy is None:
        return checkpoint, []
    try:
        found = cosignatures(note, policy.witnesses)
    except VerificationFailed as error:
        return checkpoint, [_of_head(Nature.FORGED, *_languages(error))]
    if not policy.met_by(one.witness for one in found):
        zh = f"见证不足：只有 {len(found)} 家见证人签名"
        en = f"has been cosigned by {len(found)} of the witnesses only, which is not enough"
        return checkpoint, [_of_head(Nature.INCOMPLETE, zh, en)]
    return checkpoint, []


def learnt(place: Place | None, keys: LogKeys, successions: tuple[str, ...] = ()) -> LogKeys:
    """The log's keys to which the auditor's leads by the successions that the evidence has: statements of a
    database, the file ``log-keys`` of a published folder, and of an export these ``successions``.

    Raises:
        SetUpError: the database cannot be read.
        VerificationFailed: the successions do not hold, or have nothing to do with the auditor's key.
    """
    match place:
        case DatabasePlace(url):
            with open_snapshot(url, older=True) as snapshot:
                statements = snapshot.statements_of(EntryKind.LOG_KEY, MAX_SUCCESSIONS)
            return keys.extended(map(succession_of, statements))
        case FolderPlace(folder) if (folder / key_history.LOG_KEYS).is_file():
            with (folder / key_history.LOG_KEYS).open("rb") as file:
                history = file.read(key_history.MAX_BYTES + 1)
            return key_history.proved(keys, key_history.parse(history))
    return keys.extended(successions) if successions else keys


def _languages(error: VerificationFailed) -> tuple[str, str]:
    zh, _, en = str(error).partition(" / ")
    return zh, en or zh


def _of_head(nature: Nature, zh: str, en: str) -> Remark:
    return Remark(nature, Finding("checkpoint", "", "signature", zh, en))
