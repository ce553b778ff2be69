"""What falls due of corrections: said once, by whoever looks first, as the log has it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import create_engine, text

from broker.correction.answer import Answerer
from broker.correction.duties import Duties
from broker.errors import Unavailable
from broker.marks import NO_VAULT
from broker.model import EntryKind
from broker.receipt.fsck import open_fsck
from broker.store import open_store
from tests.correction import making

ALWAYS = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def log(request: pytest.FixtureRequest, tmp_path: Path, broker_log: Any) -> Any:
    """A log with a few exchanges."""
    url = f"sqlite:///{tmp_path}/log.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    made = broker_log(url, tmp_path)
    made.fill(3)
    return made


def duties(store: Any, running: Any) -> Duties:
    """Of a broker whose policies nobody asks here."""
    unasked: Any = None
    answerer = Answerer(unasked, store, running, NO_VAULT, unasked, now)
    return Duties(unasked, store, running, NO_VAULT, answerer, now)


def test_what_is_overdue_is_said_once(log: Any) -> None:
    """Of several who look at once one says it; what is not due yet, and what is settled, nobody."""
    with log.running() as running, closing(open_store(log.url)) as store:
        late = making.waiting(store, 2, now() - timedelta(seconds=1))
        making.waiting(store, 2, now() + timedelta(days=10))
        making.settled(store, 2)
        running.sign()
        both = duties(store, running)
        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(lambda _: both.do(), range(4))) == 1
        with store.corrections() as tables:
            found = tables.get(late)
        assert found is not None
        assert found.correction.overdue is not None
        said = orjson.loads(running.receipt(found.correction.overdue).statement)
        assert (said["kind"], said["correction"]) == (EntryKind.CORRECTION_OVERDUE, late)
        assert both.do() == 0
    with open_fsck(log.url, log.state, log.key) as check:
        assert [one for one in check.findings() if one.table == "correction"] == []


def test_nobody_is_accused_by_an_altered_deadline(log: Any) -> None:
    """Whoever can write to the database could make a provider late: the log is asked."""
    with log.running() as running, closing(open_store(log.url)) as store:
        making.waiting(store, 2, now() + timedelta(days=10))
        running.sign()
        engine = create_engine(log.url)
        with engine.begin() as connection:
            connection.execute(text("UPDATE correction SET due_at = 1"))
        engine.dispose()
        late = making.waiting(store, 2, now() - timedelta(seconds=1))
        running.sign()
        with pytest.raises(Unavailable):
            duties(store, running).do()
        with store.corrections() as tables:
            told = {one.correction.leaf_index for one in tables.reported(making.NAMES["dataset"], *ALWAYS)}
            overdue = {leaf for leaf in told if (found := tables.get(leaf)) and found.correction.overdue}
        assert overdue == {late}  # the other one is not kept from it
