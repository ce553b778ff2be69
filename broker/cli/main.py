"""The ``sharebroker`` command."""

from __future__ import annotations

import io
import signal
import sys
from typing import NoReturn

from broker.cli.lazy import Later, lazy_app
from broker.errors import BrokerError, MalformedRequest, SetUpError, VerificationFailed

app = lazy_app(
    "政务数据共享交换 / governed data sharing between government departments",
    (
        Later(
            "init",
            "broker.cli.init:init",
            "新建一座自己的城市：策略、密钥、证书、数据库 / "
            "set up a city of your own: policies, keys, database.",
        ),
        Later(
            "serve",
            "broker.cli.serve:serve",
            "运行共享交换服务；SIGTERM 排空，SIGHUP 逐个更替 / "
            "run the broker; SIGTERM drains, SIGHUP rolls over.",
        ),
        Later(
            "backup",
            "broker.cli.maintenance:backup",
            "备份数据库，服务可继续运行 / back up the database; the broker may go on.",
        ),
        Later(
            "restore",
            "broker.cli.maintenance:restore",
            "恢复到空数据库；落后于已签名的日志时退出码为 3 / "
            "restore into an empty database; exit 3: behind.",
        ),
        Later(
            "fsck",
            "broker.cli.maintenance:fsck",
            "重新推导全部存证，指出不符之处，退出码为 3 / "
            "derive everything again, name what is wrong; exit 3.",
        ),
        Later(
            "status",
            "broker.cli.status:status",
            "查看生效策略、日志、待签条数与各进程名额 / show what is in force, log, backlog and processes.",
        ),
        Later(
            "demo",
            "broker.cli.demo:demo",
            "在示例城市上运行四个办事场景 / run four service scenarios in the sample city.",
        ),
        Later(
            "trace-leak",
            "broker.cli.trace:trace_leak",
            "由外泄文件中的令牌、假名查出曾提供给谁；先存证后显示 / "
            "trace a leak to consumer, purpose, receipts.",
        ),
        Later(
            "trace",
            "broker.cli.subject_access:trace",
            "应本人申请，查其信息何时提供给谁；先存证后显示 / tell a person who was told what of them.",
        ),
        Later(
            "vault",
            "broker.cli.vault:app",
            "主体密钥库：建立、查看、遗忘、更换主密钥 / the subject vault: init, status, forget, rewrap",
        ),
        Later(
            "pki",
            "broker.cli.pki:app",
            "证书：建立机构、签发、查看、吊销 / certificates: set up an authority, issue, show, revoke",
        ),
        Later(
            "receipt",
            "broker.cli.receipt:app",
            "存证回执：列出、查看、导出、验证 / list, show, export and verify receipts",
        ),
        Later(
            "log",
            "broker.cli.log:app",
            "公开存证日志，只读，不含原文 / show the receipt log, read-only, no statements",
        ),
        Later(
            "audit",
            "broker.cli.audit.app:audit",
            "审计：查询、导出、核验、对账、报告 / audits: query, export, verify, reconcile, report",
        ),
        Later(
            "witness",
            "broker.cli.witness:app",
            "见证人：由另一部门运行，确认日志只增不改 / witness, run by another office: the log only grows",
        ),
        Later(
            "policy",
            "broker.cli.policy.app:policy",
            "策略：编写、检查、测试、比较、审批、发布 / "
            "policies: write, check, test, compare, approve, publish",
        ),
        Later(
            "mask",
            "broker.cli.mask.app:mask",
            "脱敏算子：列出、试用、检查、评估风险 / masks: list, show, try, check, risk of a file",
        ),
        Later(
            "detokenize",
            "broker.cli.detokenize:app",
            "还原令牌：申请、审批、执行 / turn tokens back: request, approve, run",
        ),
        Later(
            "keyring",
            "broker.cli.keyring:app",
            "脱敏密钥：查看、轮换、更换主密钥 / the masking keys: show, rotate, rewrap",
        ),
        Later(
            "retention",
            "broker.cli.retention:app",
            "存证原文的保存期限：查看、执行 / how long statements are kept: show, run",
        ),
        Later(
            "calendar",
            "broker.cli.calendar:app",
            "工作日历：查看、检查、录入国务院放假通知 / working days: show, check, import the yearly notice",
        ),
        Later("needs", "broker.cli.needs:app", "需求清单 / the list of needs"),
        Later(
            "delivery",
            "broker.cli.delivery:app",
            "交付：确认收到、列出未确认的 / deliveries: acknowledge, list what is not acknowledged",
        ),
        Later(
            "commitment",
            "broker.cli.commitment:app",
            "数据使用责任状：模板、签署、登记、撤回 / use commitments: templates, sign, lodge, withdraw",
        ),
        Later(
            "correction",
            "broker.cli.correction:app",
            "校核纠错：报告、列出、答复、通知、数据质量 / corrections: report, answer, notices, data quality",
        ),
        Later(
            "disposal",
            "broker.cli.disposal:app",
            "数据销毁：列出指令、下达、证明 / disposal: list the orders, order, certify",
        ),
        Later(
            "application",
            "broker.cli.applications:app",
            "共享申请：新建、提交、查看、补正、撤回、终止授权 / "
            "applications: create, file, show, supplement, withdraw, end",
        ),
        Later(
            "review",
            "broker.cli.reviews:app",
            "审核：待我审核的申请、同意、不同意 / reviews: what waits for me, approve, refuse",
        ),
        Later(
            "revocations",
            "broker.cli.epoch:revocations",
            "吊销列表：发布、查看 / the revocation list in force: publish, show",
        ),
        Later(
            "suspend",
            "broker.cli.suspend:app",
            "紧急暂停共享：添加、解除、列出 / the kill switch: add, lift, list",
        ),
        Later("db", "broker.cli.db:app", "数据库 / the database"),
        Later("city", "broker.cli.city:app", "示例城市数据 / data of the synthetic sample city"),
        Later("catalog", "broker.cli.catalog:app", "数据目录 / the catalog"),
    ),
    name="sharebroker",
)

EXIT_REFUSED, EXIT_SET_UP, EXIT_UNVERIFIED, EXIT_INTERRUPTED = 1, 2, 3, 130


def main() -> NoReturn:
    """Run the command; what goes wrong is said in two lines, Chinese and English, never as a traceback.

    Exit codes: 0 done, 1 the broker refused or could not be reached, 2 something must be set up or given
    differently, 3 a proof or signature does not hold.
    """
    for stream in (sys.stdout, sys.stderr):  # in a terminal of GBK or ASCII: a question mark, not a traceback
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        app()
    except SetUpError as error:
        _fail(EXIT_SET_UP, error.zh, error.en)
    except VerificationFailed as error:
        zh, _, en = str(error).partition(" / ")
        _fail(EXIT_UNVERIFIED, f"验证未通过：{zh}", f"Verification failed: {en or zh}")
    except MalformedRequest as error:
        said = error.sentence
        lines = [f"  {v.field}: {v.zh} / {v.en}" for v in error.violations]
        _fail(EXIT_REFUSED, said.zh, said.en, *lines)
    except BrokerError as error:
        said = error.sentence
        _fail(EXIT_REFUSED, said.zh, f"{said.en} ({error.reason})")
    except OSError as error:
        about = f"{error.filename or ''}（{error.strerror}）", f"{error.filename or ''} ({error.strerror})"
        _fail(EXIT_SET_UP, f"文件或目录无法使用：{about[0]}", f"A file or folder cannot be used: {about[1]}")
    except KeyboardInterrupt:
        _interrupted()
    except SystemExit as done:
        if done.code == EXIT_INTERRUPTED:  # what Typer makes of Ctrl-C, in silence
            _interrupted()
        raise
    sys.exit(0)


def _interrupted() -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who presses twice is told once
    _fail(EXIT_INTERRUPTED, "已中断。", "Interrupted.")


def _fail(code: int, *lines: str) -> NoReturn:
    for line in lines:
        print(line, file=sys.stderr)
    sys.exit(code)
