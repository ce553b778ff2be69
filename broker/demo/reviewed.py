"""Medical insurance + grid, the bulk part: applied for, reviewed by two officers, taken under the grant."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from broker.applications.message import terms_message
from broker.client import Client, Credentials, VerifierKey
from broker.demo.scenarios import GRID
from broker.demo.setup import Embedded
from broker.keys.authority import Authority
from broker.model import Role, SharingMode, Terms, UseScope

DATASET, FIELDS, PURPOSE = "tax.contribution", ("paid_on", "payer_id", "scheme"), "grid_service"
REVIEWERS = ("li", "zhao")
DAYS = 90


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What became of it; every receipt was verified as it came."""

    number: int
    """Of the application and the grant."""
    without_grant: str
    """What the same system is told that has none."""
    under_grant: str
    rows: int
    receipts: tuple[int, ...]
    """Leaf indices: draft, consent, approvals, and what was taken."""
    elapsed_ms: float
    """From the draft to the last row."""


def reviewed(embedded: Embedded, address: str) -> Reviewed:
    """Apply, consent, approve twice, and take the whole register."""
    with ExitStack() as stack:

        def client(credentials: Credentials) -> Client:
            trust = VerifierKey.parse(embedded.trust.read_text("utf-8").strip())
            return stack.enter_context(Client(address, credentials, trust=trust))

        system = client(Credentials.load(embedded.identity(GRID.consumer)))
        applicant = client(_officer(embedded, GRID.consumer, "wang"))
        reviewers = [client(_officer(embedded, "tax", name)) for name in REVIEWERS]
        with system.stream(**_asked()) as refused:
            without = refused.verdict
        began = datetime.now(UTC)
        acts = [applicant.applications.create(terms_message(_terms(began)))]
        acts.append(applicant.applications.consent(acts[-1].application))
        for reviewer in reviewers:
            acts.append(reviewer.applications.approve(acts[-1].application))
        number = int(acts[-1].application.name.removeprefix("applications/"))
        with system.stream(**_asked(), grant=str(number)) as taken:
            rows = taken.table().num_rows if taken.permitted else 0
        elapsed_ms = (datetime.now(UTC) - began).total_seconds() * 1000
        receipts = (*(act.receipt.leaf_index for act in acts), taken.receipt.leaf_index)
        return Reviewed(number, without, taken.verdict, rows, receipts, round(elapsed_ms, 1))


def _officer(embedded: Embedded, department: str, name: str) -> Credentials:
    pki = embedded.folder / "pki"
    issued = Authority.open(pki).issue(department, Role.OFFICER, name)
    return Credentials(issued.cert_pem, issued.key_pem, (pki / "ca.pem").read_bytes())


def _terms(now: datetime) -> Terms:
    first = now.replace(microsecond=0) - timedelta(seconds=1)
    return Terms(
        consumer=GRID.consumer,
        dataset=DATASET,
        fields=FIELDS,
        purpose=PURPOSE,
        legal_basis=GRID.legal_basis,
        scenario="网格员上门动员断保居民续保",
        scope=UseScope(whole=True),
        mode=SharingMode.BATCH,
        rows_per_call=5_000_000,
        valid_from=first,
        valid_until=first + timedelta(days=DAYS),
        operator=GRID.operator,
    )


def _asked() -> dict[str, Any]:
    return {
        "dataset": DATASET,
        "fields": FIELDS,
        "purpose": PURPOSE,
        "service_item": GRID.service_item,
        "legal_basis": GRID.legal_basis,
        "case_no": GRID.case_no,
        "operator": GRID.operator,
        "commit": True,
    }
