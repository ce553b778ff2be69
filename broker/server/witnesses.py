"""The witnesses that the settings name, and what asks them."""

from __future__ import annotations

from broker.errors import SetUpError, VerificationFailed
from broker.http.client import HttpClient
from broker.receipt.cosigning import Cosigning, Shelf, SignedLog
from broker.receipt.witnesses import WitnessKey, WitnessPolicy
from broker.receipt.witnessing import Witness
from broker.settings import Settings


def witnesses_of(settings: Settings) -> WitnessPolicy:
    """The witnesses that the settings name, and how many of them must have cosigned.

    Raises:
        SetUpError: a key is none, one is named twice, or there are fewer than the quorum.
    """
    named = settings.witnesses
    if named.stop_releasing_after_seconds and not named.quorum:
        raise SetUpError(
            "[witnesses] stop_releasing_after_seconds 须与 quorum 同时设置：不要求见证时无从停止。",
            "[witnesses] stop_releasing_after_seconds needs a quorum: else there is nothing to wait for.",
        )
    try:
        return WitnessPolicy.of([WitnessKey.parse(vkey) for vkey in named.known], named.quorum)
    except (ValueError, VerificationFailed):
        raise SetUpError(
            "[witnesses] 有误：known 的键须为见证人给出的公钥，各不相同，且不少于 quorum 个。",
            "[witnesses] is wrong: the keys of `known` are those that the witnesses gave, each once, and at "
            "least as many as `quorum`.",
        ) from None


def cosigning_of(settings: Settings, receipts: SignedLog, store: Shelf) -> Cosigning:
    """What has the log's heads cosigned; it does nothing where the settings want no witness.

    Raises:
        SetUpError: as of :func:`witnesses_of`, or an address is none.
    """
    policy, named = witnesses_of(settings), settings.witnesses
    if policy.group is None:
        return Cosigning(receipts, store, (), policy)
    ca = settings.path(named.ca) if named.ca else None
    asked = [Witness(WitnessKey.parse(vkey), HttpClient(url, ca=ca)) for vkey, url in named.known.items()]
    return Cosigning(receipts, store, asked, policy)
