"""``sharebroker audit``: the commands of this package."""

from __future__ import annotations

from broker.cli.lazy import Later, lazy_app

audit = lazy_app(
    "审计：核验整个日志或一份导出 / audits: verify a whole log or an export",
    (
        Later(
            "verify",
            "broker.cli.audit.verify:verify",
            "只凭公钥核验整个日志或一份导出：签名、存证、树、先后与缺失 / "
            "verify a log or export by its key alone.",
        ),
    ),
)
