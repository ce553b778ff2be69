"""Receipts of a person, for an auditor on the host that has the subject vault: the identifier becomes tags.

What is asked of the broker are the tags alone; the identifier stays on this host, in no argument and no
history. That somebody looked, who and why, stands in the log first, and the person is told of it when asking.
"""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from broker.cli.epoch import order_of, store_of
from broker.client.questions import Filter
from broker.errors import SetUpError
from broker.settings import Settings, load_settings

if TYPE_CHECKING:
    from broker.subject_access.view import Told

MOST_TAGS = 1_000
"""That a broker takes in one question."""

Subject = Annotated[
    bool,
    typer.Option(
        "--subject",
        help="按人查：提示输入证件号码；须在主体密钥库所在主机 / by person: asks who; where the vault is",
    ),
]
Why = Annotated[str, typer.Option("--why", help="按人查的事由，写入存证 / why the person; stands in the log")]
Config = Annotated[
    Path, typer.Option("--config", "-c", help="按人查时：服务的配置文件 / for a person: settings file")
]


def of_person(filters: Filter, why: str, config: Path, reader: str) -> bool:
    """Adds the tags of the person that is asked for to ``filters``, where ``reader`` is on record as having
    looked; False when the log has nothing of the person in that time.

    Raises:
        SetUpError: this host has no vault, no reason or nobody is named, tags were given as well, or the
            person has too many receipts.
    """
    from broker.cli.subject_access import looked_up, subject_of

    if not why.strip():
        raise SetUpError("按人查须写明事由：--why。", "State why the person is looked up: --why.")
    if filters.get("subject_tags"):
        raise SetUpError("--subject 与 --tag 只能用一个。", "Give --subject or --tag, not both.")
    settings = _with_vault(config)
    person = subject_of("")
    with store_of(settings) as store:
        view, _, leaf = looked_up(settings, store, person, order_of(reader, why), None, thorough=False)
    print(f"按人查已存证，回执 {leaf} / the look-up has receipt {leaf}", file=sys.stderr)
    since, until = filters.get("since"), filters.get("until")
    tags = {_tag(told) for told in view.told if _within(told.statement["recorded_at"], since, until)}
    if len(tags) > MOST_TAGS:
        raise SetUpError(
            f"此人的存证超过 {MOST_TAGS} 条，请用 --since、--until 缩短时段。",
            f"The person has more than {MOST_TAGS} receipts: choose a shorter time by --since and --until.",
        )
    filters["subject_tags"] = sorted(tags)
    return bool(tags)


def _with_vault(config: Path) -> Settings:
    settings = load_settings(config) if config.exists() else None
    if settings is None or not settings.vault_url:
        raise SetUpError(
            "按人查须在设有主体密钥库的主机上进行，用 --config 指明服务的配置文件（含 [vault] url）；"
            "在别处，请向主管部门索取标签，用 --tag。",
            "A person is looked up on the host that has the subject vault: name the broker's settings, which "
            "have [vault] url, with --config. Elsewhere ask the authority for the tags, and give --tag.",
        )
    return settings


def _tag(told: Told) -> bytes:
    tags: Any = told.statement["subject_tags"]
    return bytes.fromhex(tags[told.place])


def _within(recorded: str, since: datetime | None, until: datetime | None) -> bool:
    at = datetime.fromisoformat(recorded)
    return (since is None or at >= since) and (until is None or at < until)
