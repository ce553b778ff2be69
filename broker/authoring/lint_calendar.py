"""Findings about the calendar: years near enough to matter whose notice is not in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from broker.approve.files import Files
from broker.approve.grammar import CALENDAR_FILE
from broker.authoring.finding import Finding, Lint
from broker.authoring.lint_masks import Places
from broker.model import Catalog

REACH = timedelta(days=60)
"""How far the longest limit of the law reaches from the day it begins, holidays included: 30 working days."""


def of_calendar(catalog: Catalog, now: datetime, files: Files) -> Iterator[Finding]:
    """Provisional years that limits running now may reach into. (Of rules about working days
    ``CALENDAR_MISSING`` tells.)"""
    zone, places = ZoneInfo(catalog.zone), Places(CALENDAR_FILE.path, files)
    near = {(now + ahead).astimezone(zone).year for ahead in (timedelta(), REACH)}
    for year in sorted(near & catalog.calendar.provisional):
        zh = f"{year} 年的放假安排待定，到那一年的办理期限只能暂算；"
        zh = f"{zh}通知发布后请用 sharebroker calendar import 录入"
        en = f"the notice of {year} is not in, so limits reaching into it are provisional; "
        en = f"{en}bring it in with sharebroker calendar import when it is out"
        yield Finding.of(places.of("years", str(year)), Lint.CALENDAR_PROVISIONAL, zh, en)
