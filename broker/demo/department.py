"""A department's system, as a process of its own: it holds its own key, and asks what its counter asks.

Reads one JSON job from standard input, writes one JSON line per exchange to standard output::

    python -m broker.demo.department 127.0.0.1:7443 var/demo/pki/housing_fund-system-counter var/demo/log.vkey
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import orjson

from broker.client import Client, Credentials, Exchanged, VerifierKey, export_receipt


def main(address: str, identity: str, trust: str) -> None:
    """Run the job on standard input over one connection."""
    key = VerifierKey.parse(Path(trust).read_text("utf-8").strip())
    with Client(address, Credentials.load(identity), trust=key) as broker:
        for ask in orjson.loads(sys.stdin.buffer.read()):
            began = time.perf_counter()
            exchanged = broker.exchange(**ask)
            elapsed_ms = (time.perf_counter() - began) * 1000
            sys.stdout.buffer.write(orjson.dumps(_told(exchanged, elapsed_ms)) + b"\n")
            sys.stdout.buffer.flush()


def _told(exchanged: Exchanged, elapsed_ms: float) -> dict[str, Any]:
    return {
        "decision": exchanged.verdict,
        "rules": exchanged.rules,
        "reasons": [{"code": r.code, "zh": r.zh, "en": r.en} for r in exchanged.reasons],
        "status": exchanged.status,
        "advice": exchanged.advice,
        "as_of": exchanged.as_of,
        "records": exchanged.records,
        "masks": exchanged.masks,
        "commitments": exchanged.duties.commitments,
        "elapsed_ms": round(elapsed_ms, 2),
        "receipt": orjson.loads(export_receipt(exchanged.receipt)),
        "acknowledgement": exchanged.acknowledgement and exchanged.acknowledgement.leaf_index,
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
