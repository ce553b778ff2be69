"""``sharebroker mask``: the commands of this package."""

from __future__ import annotations

from broker.cli.lazy import Later, lazy_app

mask = lazy_app(
    "脱敏算子：列出、试用、检查、评估风险 / masks: list, show, try, check, risk of a file",
    (
        Later(
            "check",
            "broker.cli.mask.checking:check",
            "检查算子是否守约定，计划是否适合文件 / "
            "do operators keep their contract, does a plan fit a file?",
        ),
        Later(
            "list",
            "broker.cli.mask.listing:list_",
            "列出可用的脱敏算子及其性质 / list the operators that policies may use, with their properties.",
        ),
        Later(
            "risk",
            "broker.cli.mask.risk:risk",
            "评估文件的重标识风险 / "
            "how likely somebody is found again in a file; 1 when above the threshold.",
        ),
        Later(
            "run",
            "broker.cli.mask.run:run",
            "按计划整批脱敏文件并签署清单，中断后可接着做 / mask files, resumable, signed manifest.",
        ),
        Later(
            "show",
            "broker.cli.mask.showing:show",
            "查看一个脱敏算子：参数、性质、示例、写法 / one operator: parameters, properties, examples.",
        ),
        Later(
            "try",
            "broker.cli.mask.trying:try_",
            "在文件的前几行上试用脱敏，前后对照 / "
            "mask the first rows of a file, before and after side by side.",
        ),
        Later(
            "verify",
            "broker.cli.mask.verify:verify",
            "验证已脱敏文件的清单、签名与摘要 / verify manifest, signature and digests of masked files.",
        ),
    ),
)
