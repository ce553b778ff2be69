"""Under which keys a field was released: what a statement says of it, and the mask that its bundle had then.

A statement names an operator, the digest of its parameters and the version of the key. The parameters, and
the field's domain, are those of the bundle that decided, which the database keeps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pyarrow as pa

from adapters.masking.contract import BoundMask, KeyContext, Operator, Params
from broker.approve.bundle import Bundle, bundle_of
from broker.approve.files import unpack
from broker.desensitize.column import params_of, params_sha256
from broker.desensitize.operand import operand_type
from broker.desensitize.plan import key_domain
from broker.errors import SetUpError, Unavailable, VerificationFailed
from broker.keys.keyring import Keyring
from broker.model import EntryKind, Field, FieldType, LinkDomain, Mask, Verdict
from broker.reasons import Reason
from broker.store.store import Store

RELEASING = frozenset(
    {EntryKind.EXCHANGE, EntryKind.STREAM_DECISION, EntryKind.STREAM_OUTCOME, EntryKind.REDELIVERED}
)
"""Kinds of statement that tell of data released."""
MOST_BUNDLES = 4
"""Kept compiled; what is asked about was mostly released under the last few."""


@dataclass(frozen=True, slots=True)
class Released:
    """A field as it was released to one consumer for one purpose, under a key."""

    provider: str
    consumer: str
    """Department id."""
    purpose: str
    dataset: str
    field: str
    operator: str
    version: str
    params_sha256: str
    key_version: int
    bundle: str
    """Hash of the bundle that decided."""
    link_domain: str = ""
    """By which its tokens join; empty for none."""


@dataclass(frozen=True, slots=True)
class Masked:
    """The mask of a :class:`Released`, as it can be bound again."""

    operator: Operator
    params: Params
    domain: str
    type: FieldType
    format: str | None
    """Of the field, as :attr:`broker.model.Field.format`."""
    identifies: bool
    """Whether the field is the one by which the dataset's subjects are known."""
    link: LinkDomain | None = None
    """As it was in that bundle."""

    @property
    def takes(self) -> pa.DataType:
        """The type of the values that the operator is given."""
        return operand_type(self.type)

    def bind(self, keys: KeyContext) -> BoundMask:
        """The mask under keys."""
        return self.operator.bind(self.params, keys)

    def unbind(self, keys: KeyContext) -> BoundMask | None:
        """The way back; None for an operator that has none."""
        if not self.operator.properties.reversible:
            return None
        unbind = getattr(self.operator, "unbind", None)
        return None if unbind is None else unbind(self.params, keys)


def released_fields(statement: Mapping[str, Any]) -> Iterator[Released]:
    """The fields that a statement says were released under a key.

    Raises:
        KeyError, TypeError: it is no statement of ours.
    """
    if statement["kind"] not in RELEASING or statement["decision"]["verdict"] != Verdict.PERMIT:
        return
    # A detokenization that was delivered again has no masks.
    for field, mask in statement.get("obligations", {}).get("masks", {}).items():
        if mask["key_version"] is not None:
            yield Released(
                statement["provider"],
                statement["consumer"]["department"],
                statement["purpose"],
                statement["dataset"],
                field,
                mask["operator"],
                mask["version"],
                mask["params_sha256"],
                mask["key_version"],
                statement["decision"]["bundle"],
                mask.get("link_domain", ""),
            )


def keys_of(keyring: Keyring, released: Released, masked: Masked) -> KeyContext:
    """The keys under which it was released.

    Raises:
        SetUpError: the keyring has no such version.
    """
    consumer, purpose, version = released.consumer, released.purpose, released.key_version
    if masked.link is None:
        return keyring.for_field(released.provider, consumer, purpose, masked.domain, version)
    apart = masked.link.apart(consumer, purpose)
    return keyring.for_link(masked.link.name, *apart, masked.domain, version=version)


class Masks:
    """Finds the masks of what was released, in the bundles of the database. Safe for use by many threads."""

    def __init__(self, store: Store, operators: Mapping[str, Operator]) -> None:
        self._store, self._operators = store, operators
        self._bundle = lru_cache(maxsize=MOST_BUNDLES)(self._read)

    def of(self, released: Released, in_force: Bundle | None = None) -> Masked | None:
        """The mask; None if the operator, or its version of then, is not installed, or the bundle has no such
        mask. The bundle is read from the database, unless it is that ``in_force``.

        Raises:
            Unavailable: LOG_UNAVAILABLE; POLICY_UNUSABLE, the bundle cannot be read any more.
        """
        operator = self._operators.get(released.operator)
        if operator is None or operator.version != released.version:
            return None
        if in_force is not None and in_force.hash == released.bundle:
            bundle = in_force
        else:
            bundle = self._bundle(released.bundle)
        dataset = bundle.catalog.datasets.get(released.dataset)
        field = None if dataset is None else dataset.fields.get(released.field)
        params = self._params(bundle, released, operator)
        link = bundle.catalog.link_domains.get(released.link_domain)
        if dataset is None or field is None or params is None or (released.link_domain and link is None):
            return None
        identifies = dataset.subject_fields == (field.name,)
        return Masked(
            operator, params, key_domain(dataset, field), field.type, field.format, identifies, link
        )

    def _params(self, bundle: Bundle, released: Released, operator: Operator) -> Params | None:
        about = bundle.about.get(released.dataset)
        for rule in about.rules if about else ():
            mask = rule.obligations.masks.get(released.field)
            if mask is not None and mask.operator == released.operator:
                params = _params(operator, mask)
                if params is not None and params_sha256(params) == released.params_sha256:
                    return params
        return None

    def _read(self, hash_: str) -> Bundle:
        with self._store.epochs() as tables:
            packed = tables.bundle(hash_) or b""
        try:
            return bundle_of(unpack(packed, hash_), unchecked)
        except (SetUpError, VerificationFailed):
            raise Unavailable(Reason.POLICY_UNUSABLE) from None


def unchecked(_field: Field, _mask: Mask, _of_subjects: Sequence[str] = ()) -> None:
    """The bundle was in force: what its masks cannot do now is found when one is looked for."""


def _params(operator: Operator, mask: Mask) -> Params | None:
    try:
        return params_of(operator, mask)
    except ValueError:  # nobody has bound it so
        return None
