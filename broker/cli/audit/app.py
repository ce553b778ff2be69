"""``sharebroker audit``: the commands of this package."""

from __future__ import annotations

from broker.cli.lazy import Later, lazy_app

audit = lazy_app(
    "审计：查询、导出、核验、对账、报告 / audits: query, export, verify, reconcile, report",
    (
        Later(
            "query",
            "broker.cli.audit.query:query",
            "按部门、办件、经办人、规则、理由等查询存证 / "
            "look receipts up by department, case, operator and more.",
        ),
        Later(
            "export",
            "broker.cli.audit.export:export",
            "把存证及其证明导出为一个文件 / export receipts and their proofs to one file.",
        ),
        Later(
            "reconcile",
            "broker.cli.audit.reconcile:reconcile",
            "与办件系统的办件编号对账：无件查询、有件未查 / "
            "reconcile with a case system's list of case numbers.",
        ),
        Later(
            "report",
            "broker.cli.audit.report:report",
            "按部门、按月的审计报告，一个网页文件 / a report by department and month, as one page.",
        ),
        Later(
            "verify",
            "broker.cli.audit.verify:verify",
            "只凭公钥核验整个日志或一份导出：签名、存证、树、先后与缺失 / "
            "verify a log or export by its key alone.",
        ),
    ),
)
