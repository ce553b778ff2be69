"""Which approvals end soon."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from broker.publication.expiring import Ending, endings
from broker.publication.responsibility import owners_of

NOW = datetime(2026, 11, 23, tzinfo=UTC)
FILES = {
    "city.yaml": b"",
    "manifest.json": b"",
    "catalog/tax.yaml": b"",
    "sharing/b.yaml": b"owner: tax\n",
    "sharing/a.yaml": b"owner: healthcare\n",
}


def test_files_without_an_approval_for_another_thirty_days_are_told_by_owner() -> None:
    """To the day; what never had one too; base files have none to end."""
    late, soon = NOW + timedelta(days=30), NOW + timedelta(days=30, seconds=-1)
    standing = {"catalog/tax.yaml": late, "sharing/b.yaml": soon}
    assert endings(owners_of(FILES), standing, NOW) == (
        Ending("healthcare", "sharing/a.yaml", None),
        Ending("tax", "sharing/b.yaml", soon),
    )
