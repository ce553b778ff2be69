"""Under which keys data were released at all, told by the log: the keys that tokens in a file may be of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from adapters.masking.contract import Beside, KeyContext
from broker.errors import BrokerError, SetUpError
from broker.keys.keyring import Keyring
from broker.model import ReceiptFilter, Verdict
from broker.releases import RELEASING, Masked, Masks, Released, keys_of, released_fields
from broker.store.store import Store

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Key:
    """What makes two releases be under one key and mask: equal values have equal tokens in both."""

    provider: str
    consumer: str
    purpose: str
    domain: str
    key_version: int
    operator: str
    version: str
    params_sha256: str
    link_domain: str = ""
    """Within one, other consumers and purposes have the same tokens."""


@dataclass(slots=True)
class Context:
    """A key with what was released under it."""

    key: Key
    masked: Masked
    keys: KeyContext
    places: dict[tuple[str, str], Masked] = field(default_factory=dict)
    """(dataset, field) → its mask there."""

    @property
    def is_reversible(self) -> bool:
        return self.masked.operator.properties.reversible

    @property
    def identifies(self) -> bool:
        """Whether its values say who the subjects are, in one of the datasets."""
        return any(masked.identifies for masked in self.places.values())


@dataclass(slots=True)
class Contexts:
    """The contexts of a log."""

    by_key: dict[Key, Context]
    untried: set[Released]
    """Releases whose key, operator or bundle is gone."""
    _keys: dict[Released, Key | None]

    @classmethod
    def of(cls, store: Store, masks: Masks, keyring: Keyring, dataset: str = "") -> Contexts:
        """Of all that was released, or of what was out of one dataset.

        Raises:
            Unavailable: the database cannot be read.
        """
        found = cls({}, set(), {})
        for _, statement in statements(store, dataset):
            for released in released_fields(statement):
                if released not in found._keys:
                    found._keys[released] = found._add(released, masks, keyring)
        return found

    def key_of(self, released: Released) -> Key | None:
        """The key of a release; None for one that is not tried."""
        return self._keys.get(released)

    def _add(self, released: Released, masks: Masks, keyring: Keyring) -> Key | None:
        try:
            masked = masks.of(released)
            keys = None if masked is None else keys_of(keyring, released, masked)
        except (BrokerError, SetUpError):
            masked = keys = None
        if masked is None or keys is None or not _can_be_tried(masked):
            self.untried.add(released)
            return None
        key = Key(
            released.provider,
            released.consumer,
            released.purpose,
            masked.domain,
            released.key_version,
            released.operator,
            released.version,
            released.params_sha256,
            released.link_domain,
        )
        context = self.by_key.setdefault(key, Context(key, masked, keys))
        context.places[released.dataset, released.field] = masked
        return key


def statements(store: Store, dataset: str = "") -> Iterator[tuple[int, dict[str, Any]]]:
    """Leaf index and statement of everything released, newest first; what was erased is passed over."""
    before: int | None = None
    wanted = ReceiptFilter(dataset=dataset, verdict=Verdict.PERMIT)
    while leaves := store.leaves(wanted, before, _PAGE):
        for leaf in leaves:
            if leaf.entry.kind in RELEASING and leaf.entry.statement:
                yield leaf.index, orjson.loads(leaf.entry.statement)
        before = leaves[-1].index


def _can_be_tried(masked: Masked) -> bool:
    """Whether equal values have equal results, which tell something of the value and the key."""
    properties = masked.operator.properties
    return properties.reversible or (properties.linkable and properties.beside is Beside.NOTHING)
