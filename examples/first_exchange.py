"""The housing fund asks civil affairs whether an applicant is married, and checks the receipt."""

import json
import sys
from pathlib import Path

from broker.client import Client, Credentials, VerifierKey, export_receipt

demo = Path(sys.argv[1] if len(sys.argv) > 1 else "var/demo")
address = f"127.0.0.1:{(demo / 'broker.port').read_text().strip()}"
applicant = json.loads((demo / "data/city.json").read_text("utf-8"))["withdrawal"]["sound"]

# Who we are is in the certificate; nothing in a request can change it.
identity = Credentials.load(demo / "pki/housing_fund-system")
# The log's key, got from the authority: with it the client verifies every receipt it is given.
trust = VerifierKey.parse((demo / "log.vkey").read_text("utf-8").strip())

with Client(address, identity, trust=trust) as broker:
    exchanged = broker.exchange(
        dataset="civil_affairs.marriage",
        fields=["status", "registered_on"],
        subjects=[applicant],
        purpose="housing_fund_withdrawal",
        service_item="990100-GJJ-0003",
        case_no="GJJ-2026-000001",
        legal_basis="住房公积金管理条例 第二十四条",
        operator="GJJ-0088",
        sign=True,  # our own signature over the application, held in the receipt
    )

print("decision:", exchanged.verdict, *exchanged.rules)
if not exchanged.permitted:
    for reason in exchanged.reasons:
        print(" ", reason.code, reason.zh, "/", reason.en)
    sys.exit(1)

print("status:", exchanged.status, "as of", exchanged.as_of)
for record in exchanged.records:
    print("record:", record)
if exchanged.advice:
    print("at the counter:", *exchanged.advice)

# Keep the receipt with the case: it proves itself, years later, without the broker.
Path("receipt.json").write_bytes(export_receipt(exchanged.receipt))
print("receipt:", exchanged.receipt.leaf_index, "written to receipt.json")
