"""``sharebroker policy``: the commands of this package."""

from __future__ import annotations

from broker.cli.lazy import Later, lazy_app

policy = lazy_app(
    "策略：编写、检查、测试、比较、审批、发布 / policies: write, check, test, compare, approve, publish",
    (
        Later(
            "propose",
            "broker.cli.policy.publication:propose",
            "检查、测试、比较后，以本人签名提出草案 / "
            "check, test, compare, then propose with your signature.",
        ),
        Later(
            "approve",
            "broker.cli.policy.publication:approve",
            "看清改动后，以本人签名审批本部门的文件 / look through the changes, then sign for your files.",
        ),
        Later(
            "publish",
            "broker.cli.policy.publication:publish",
            "发布已审批的草案（或整个文件夹），返回时已生效 / "
            "publish a proposal or folder; in force on return.",
        ),
        Later(
            "rollback",
            "broker.cli.policy.publication:rollback",
            "重新提出以前的策略包；审批仍有效的可直接发布 / propose an earlier bundle; what stands counts.",
        ),
        Later(
            "matrix",
            "broker.cli.policy.access:matrix",
            "列出谁可以为何看哪些数据项、怎样脱敏 / list who may see which field, why, under which mask.",
        ),
        Later(
            "diff",
            "broker.cli.policy.access:diff",
            "比较两份策略：新增、放宽、收紧、取消了什么；有扩大则退出码为 1 / what a change does to access.",
        ),
        Later(
            "test",
            "broker.cli.policy.cases:run",
            "逐个运行用例，与期望比对 / run every case and compare the decision with what it expects.",
        ),
        Later(
            "explain",
            "broker.cli.policy.explain:explain",
            "说明一份申请为什么这样判定、差在哪里 / "
            "explain why an application is decided so, and what it lacks.",
        ),
        Later(
            "fmt",
            "broker.cli.policy.fmt:fmt",
            "整理策略文件的写法：键的次序、缩进、引号；注释保留 / put policy files in canonical layout.",
        ),
        Later(
            "history",
            "broker.cli.policy.history:history",
            "列出曾生效的策略包，新的在前 / list the bundles that were in force, newest first.",
        ),
        Later(
            "proposals",
            "broker.cli.policy.history:proposals",
            "列出草案，或看一份草案还缺谁的审批 / list proposals, or show what one still needs.",
        ),
        Later(
            "expiring",
            "broker.cli.policy.history:expiring",
            "列出即将到期或没有审批的文件；有则退出码为 1 / list approvals that end soon or are not there.",
        ),
        Later(
            "lint",
            "broker.cli.policy.lint:lint",
            "检查策略：一次列出所有错误、警告和提示 / check policies: every error, warning and note at once.",
        ),
        Later(
            "new",
            "broker.cli.policy.new:new",
            "一问一答写一条规则，确认后才写入 / write a rule by question and answer, once you confirm it.",
        ),
        Later(
            "replay",
            "broker.cli.policy.replay:replay",
            "用新策略重办已存证的申请，列出结论会不同的；有则退出码为 1 / which past decisions would differ.",
        ),
        Later(
            "schema",
            "broker.cli.policy.schema:schema",
            "由目录生成各种文件的 JSON Schema，供编辑器补全和检查 / JSON Schema of each file, for editors.",
        ),
        Later(
            "show",
            "broker.cli.policy.show:show",
            "查看谁可以为何看什么、怎样脱敏、到何时 / "
            "show who may see what, why, under which mask, until when.",
        ),
    ),
)
