"""Use commitments (数据使用责任状) signed in the call: what policy demands is learnt from its answer, once.

The first application of a kind is answered NEEDS_SUPPLEMENT with the templates that are missing; they are
fetched, filled, signed, and the same request is sent again. From then on what such an application needs is
known, and goes with it the first time.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from broker.client.credentials import Credentials
from broker.client.terms import Terms
from broker.errors import BrokerError
from broker.keys.spiffe import parse
from broker.model import Signer
from broker.reasons import Reason
from broker.use_commitment.signed import Commitment, sign
from broker.use_commitment.text import Blank, days_of, fill
from broker.v1 import commitment_pb2, exchange_pb2

LIFETIME = timedelta(minutes=10)
"""Of a commitment for one call."""
MOST_KINDS = 1024
"""Kinds of application whose templates are remembered."""

_OWN = (Blank.CASE_NO, Blank.LEGAL_BASIS, Blank.OPERATOR)
_SIGNERS = {getattr(commitment_pb2, f"COMMITMENT_SIGNER_{signer.name}"): signer for signer in Signer}


@dataclass(frozen=True, slots=True)
class Template:
    """A template in force, and what fills its blanks for one kind of application."""

    id: str
    version: int
    title: str
    title_en: str
    text: str
    """Whole, with blanks such as ``{dataset}``."""
    signer: Signer | None
    """By whose key it is signed; None: a kind that this client does not know."""
    valid_days: int
    """For how many days one may stand for all calls; 0: one is signed for each."""
    blanks: Mapping[str, str]
    zone: str

    def filled(self, terms: Terms, request_id: str, issued: datetime, expires: datetime) -> str:
        """The text to sign.

        Raises:
            KeyError: it has a blank that nothing fills.
        """
        own = {name.value: str(terms.get(name, "")) for name in _OWN}
        times = days_of(issued, expires, self.zone)
        return fill(self.text, {**self.blanks, **own, Blank.REQUEST_ID.value: request_id, **times})


def template_of(response: commitment_pb2.GetCommitmentTemplateResponse) -> Template:
    """The template in a response."""
    found = response.template
    return Template(
        id=found.name.removeprefix("commitmentTemplates/"),
        version=found.version,
        title=found.title,
        title_en=found.title_en,
        text=found.text,
        signer=_SIGNERS.get(found.signer),
        valid_days=found.valid_days,
        blanks=dict(response.blanks),
        zone=response.zone,
    )


def commitment_for(
    template: Template, terms: Terms, department: str, request_id: str, lifetime: timedelta = LIFETIME
) -> Commitment:
    """What to sign of ``template`` from now on: for one call, or with an empty ``request_id`` for all calls
    of the dataset and purpose."""
    issued = datetime.now(UTC).replace(microsecond=0)
    expires = issued + lifetime
    return Commitment(
        template=template.id,
        version=template.version,
        text=template.filled(terms, request_id, issued, expires),
        consumer=department,
        dataset=terms["dataset"],
        purpose=terms["purpose"],
        case_no=terms.get("case_no", "") if request_id else "",
        request_id=request_id,
        issued=issued,
        expires=expires,
    )


def department_of(credentials: Credentials) -> str:
    """The department whose certificate it is; empty for none."""
    return str(getattr(parse(credentials.uri), "department", ""))


class Templates:
    """What each kind of application was found to need; safe for use by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[object, ...], tuple[Template, ...]] = {}

    def of(self, terms: Terms) -> tuple[Template, ...]:
        """As far as it is known."""
        return self._known.get(_kind(terms), ())

    def learn(self, terms: Terms, template: Template) -> None:
        """Such applications need this."""
        with self._lock:
            if len(self._known) >= MOST_KINDS:
                self._known.clear()
            others = [one for one in self.of(terms) if one.id != template.id]
            self._known[_kind(terms)] = (*others, template)

    def forget(self, terms: Terms) -> None:
        """What was known no longer holds."""
        with self._lock:
            self._known.pop(_kind(terms), None)


class Signing:
    """One application, asked until its commitments are there or cannot be signed here."""

    def __init__(self, templates: Templates, credentials: Credentials, terms: Terms) -> None:
        self._templates = templates
        self._credentials = credentials
        self._wanted = terms.get("commit", False)
        self._terms = terms
        self._forgot = False
        self._learnt: set[str] = set()
        self.request_id = terms.get("request_id") or str(uuid.uuid4())

    def signed(self) -> tuple[bytes, ...]:
        """The commitments that it is known to need, and those that the caller gives."""
        given = tuple(self._terms.get("commitments", ()))
        known = self._templates.of(self._terms) if self._wanted else ()
        return (*given, *map(self._signed, known))

    def is_stale(self, failure: BrokerError) -> bool:
        """Whether it failed for what was known of the templates, which is forgotten; once."""
        if (
            failure.reason is not Reason.COMMITMENT_INVALID
            or self._forgot
            or not self._templates.of(self._terms)
        ):
            return False
        self._forgot = True
        self._templates.forget(self._terms)
        return True

    def lacking(self, reasons: Iterable[exchange_pb2.Reason]) -> list[str]:
        """The templates to learn before asking again; none: the answer stands."""
        missing = {(reason.code, reason.about) for reason in reasons} if self._wanted else set()
        if any(code != Reason.COMMITMENT_MISSING for code, _ in missing):
            return []  # it would be refused again for what else is missing
        return sorted({template for _, template in missing} - self._learnt)

    def learn(self, template: Template) -> bool:
        """Whether it can be signed here: by a system, whose caller this is."""
        self._learnt.add(template.id)
        if template.signer is not Signer.SYSTEM:
            return False
        self._templates.learn(self._terms, template)
        return True

    def _signed(self, template: Template) -> bytes:
        department = department_of(self._credentials)
        said = commitment_for(template, self._terms, department, self.request_id)
        return sign(said, self._credentials.private_key(), self._credentials.chain)


def _kind(terms: Terms) -> tuple[object, ...]:
    return terms["dataset"], terms["purpose"], terms.get("service_item", ""), tuple(terms["fields"])
