"""Which grants are in force, as this process believes it: from officers' signatures, not from the database.

A grant stands on an application that the consumer's officer has signed, and on approvals that officers have
signed over the same terms. Whoever can write to the database signs nothing: a grant whose signatures do not
hold, or whose record is not the one that the leaf of its last act names, does not speak, and that is said
loudly. How a grant's standing moves the epoch is told in ``docs/adr/0004-one-epoch.md``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import orjson
import structlog
from cryptography import x509

from broker.errors import VerificationFailed
from broker.filing_signatures import Signed, read, require_of
from broker.filings import digest, dumped
from broker.journal import GrantOnRecord
from broker.keys.spiffe import DepartmentId, parse
from broker.model import Act, FiledApplication, Grant, SignedAct, Stage, State, Voice
from broker.store.applications import ApplicationTables

log = structlog.get_logger("sharebroker.grants")


@dataclass(frozen=True, slots=True)
class Grants:
    """The grants in force, by name, and which versions of their records they were read from."""

    by_name: Mapping[str, Grant] = field(default_factory=dict)
    versions: Mapping[int, int] = field(default_factory=dict)
    """Of all active ones: those that do not speak are not judged again either."""
    compromised: frozenset[int] = frozenset()

    def followed(
        self, tables: ApplicationTables, ca: x509.Certificate, compromised: Collection[int]
    ) -> Grants:
        """Those in force now; what is known of a record that has not changed is not read again."""
        active, serials = tables.active(), frozenset(compromised)
        if active == self.versions and serials == self.compromised:
            return self
        known = self.versions if serials == self.compromised else {}
        found: dict[str, Grant] = {}
        for number, version in active.items():
            name = str(number)
            if known.get(number) != version:
                grant = _spoken(number, tables, ca, serials)
            else:
                grant = self.by_name.get(name)
            if grant is not None:
                found[name] = grant
        return replace(self, by_name=MappingProxyType(found), versions=active, compromised=serials)


NO_GRANTS = Grants()


def _spoken(
    number: int, tables: ApplicationTables, ca: x509.Certificate, compromised: Collection[int]
) -> Grant | None:
    try:
        on_record = tables.on_record(number)
        if on_record is None:
            raise VerificationFailed("记录缺失 / record: it is missing")
        return granted(on_record, ca, compromised)
    except (VerificationFailed, LookupError, TypeError, ValueError, AttributeError) as failure:
        told = str(failure) if isinstance(failure, VerificationFailed) else type(failure).__name__
        log.critical(
            "grant_does_not_speak",
            grant=number,
            zh=f"共享授权 {number} 未通过验证，不予生效，请核查数据库。",
            en=f"Grant {number} does not verify and gives nothing; look into the database.",
            error=told,
        )
        return None


def granted(on_record: GrantOnRecord, ca: x509.Certificate, compromised: Collection[int]) -> Grant:
    """The grant that an active application is. ``compromised``: serial numbers of certificates by which
    nothing is believed.

    Raises:
        VerificationFailed: it is not the record that the log has, or a signature is missing or does not hold.
        KeyError, TypeError, ValueError: the database has something else in the place of it.
    """
    filed = on_record.filed
    said = orjson.loads(on_record.statement or b"{}")
    if (said.get("application"), said.get("record")) != (filed.number, digest(dumped(filed)).hex()):
        raise VerificationFailed("记录与存证不符 / record: not the one that the log has")
    terms = filed.terms
    if filed.state is not State.ACTIVE or terms.valid_from is None or terms.valid_until is None:
        raise VerificationFailed("不是生效的共享授权 / record: it is no active grant")
    messages = {digest(message): message for message in on_record.acts}
    signed = {one: _signed(one, filed, messages, ca, compromised) for one in filed.signed}
    if not any(one.act is Act.CONSENT and one.department == terms.consumer for one in signed):
        raise VerificationFailed("缺需求部门的签名 / consent: the consumer's signature is missing")
    voices = tuple(_voices(one for one in signed if one.stage is Stage.ANSWER and one.act is Act.APPROVE))
    if not voices:
        raise VerificationFailed("缺审核人的签名 / approval: no reviewer's signature is there")
    grant = Grant(
        name=str(filed.number),
        consumer=terms.consumer,
        dataset=terms.dataset,
        fields=frozenset(terms.fields),
        purpose=terms.purpose,
        valid_from=terms.valid_from,
        valid_until=terms.valid_until,
        whole=terms.scope.whole,
        row_scopes=terms.scope.rows,
        rows_per_call=terms.rows_per_call,
        rows_total=terms.rows_total,
        voices=voices,
    )
    if not grant.satisfies(filed.reviews):
        raise VerificationFailed("审核同意的人数不足 / approval: not as many have signed as were asked for")
    return grant


def _signed(
    one: SignedAct,
    filed: FiledApplication,
    messages: Mapping[bytes, bytes],
    ca: x509.Certificate,
    compromised: Collection[int],
) -> Signed:
    message = messages.get(one.digest)
    if message is None:
        raise VerificationFailed("缺签署原文 / signature: the message is missing")
    signed = read(one.act, message, ca)
    require_of(signed, filed)
    if (signed.signer.uri, signed.signer.department) != (one.officer, one.department):
        raise VerificationFailed("签署人不是记录所说的 / signature: by another than is said")
    if signed.signer.serial in compromised:
        raise VerificationFailed("签署证书的密钥已泄露 / signature: by a compromised key")
    return signed


def _voices(approvals: Iterator[SignedAct]) -> Iterator[Voice]:
    """One for each person, however often they signed."""
    spoken: set[str] = set()
    for one in approvals:
        persons = {one.officer, one.on_behalf_of} - {""}
        if spoken.isdisjoint(persons):
            by = parse(one.on_behalf_of) if one.on_behalf_of else None
            yield Voice(by.department if isinstance(by, DepartmentId) else one.department, one.department)
        spoken |= persons
