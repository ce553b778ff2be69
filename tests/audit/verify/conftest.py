"""A broker's own log with statements of many kinds, its published folder, and how they are verified."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from broker.audit.verify.evidence import DatabasePlace, FolderPlace, Place
from broker.audit.verify.heads import open_head
from broker.audit.verify.run import Job, Report, verify
from broker.audit.verify.said import Anchors
from broker.receipt.export import export
from broker.receipt.log_keys import LogKeys
from broker.receipt.memory import remembered
from broker.receipt.public import PublicLog
from broker.store import open_store


@dataclass
class Auditor:
    """Somebody with the log's key, a head, and copies of database and folder."""

    log: Any
    note: str
    folder: Path
    """What `log export` wrote."""

    @property
    def anchors(self) -> Anchors:
        return Anchors(LogKeys.of(self.log.key))

    def verify(self, place: Place, **more: Any) -> Report:
        head, _ = open_head(self.note, self.anchors)
        return verify(Job(place, self.anchors, head, **more))

    def database(self, **more: Any) -> Report:
        return self.verify(DatabasePlace(self.log.url), **more)

    def published(self, **more: Any) -> Report:
        return self.verify(FolderPlace(self.folder), **more)


def natures(report: Report) -> set[tuple[str, str, str, str]]:
    """(nature, table, row, column) of what was found."""
    found = ((one.nature.value, one.finding) for one in report.remarks)
    return {(nature, one.table, one.row, one.column) for nature, one in found}


@pytest.fixture(scope="session")
def auditor(tmp_path_factory: pytest.TempPathFactory, broker_log: Callable[..., Any]) -> Auditor:
    """A log of 600 leaves: exchanges, streams, a redelivery."""
    folder = tmp_path_factory.mktemp("auditor")
    log = broker_log(f"sqlite:///{folder}/log.db", folder)
    log.fill(591)
    with log.running() as running:
        for request_id in ("s1", "s1"):
            opening = running.append(log.opening(request_id)).receipt.leaf_index
            running.append(log.outcome(request_id, opening))
        running.append(log.opening("s2"))
        retried = log.exchange()
        running.append(retried)
        running.append(retried)
        running.append(log.exchange())
    note = remembered(log.state, log.key)
    with closing(open_store(log.url)) as store:
        export(PublicLog(store, lambda: note, log.key), folder / "www")
    return Auditor(log, note, folder / "www")
