"""``policy new``: by questions in a real terminal, by piped answers, by options; nothing is half written."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from broker.errors import SetUpError

PERMIT = (
    *("--owner", "税务局", "--dataset", "tax.income", "--fields", "tax_year,taxable_income"),
    *(
        "--departments",
        "civil_affairs",
        "--purposes",
        "低保核对",
        "--legal-basis",
        "某法 第一条；某办法 第二条",
    ),
    *(
        "--from",
        "2026-01-01",
        "--mask",
        "taxable_income=predicate op=le value=12000",
        "--calls-per-day",
        "500",
    ),
    *(
        "--duties",
        "watermark,1",
        "--application-no",
        "GX-1",
        "--consumer-head",
        "甲",
        "--provider-head",
        "乙",
    ),
)
DENY = (
    "--owner",
    "tax",
    "--effect",
    "deny",
    "--dataset",
    "tax.income",
    "--fields",
    "all",
    "--departments",
    "all",
)
FILE = "sharing/tax-income.yaml"


def snapshot(folder):
    """Every file of the folder, with its content."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ── by options ───────────────────────────────────────────────────────────────────────────────────


def test_every_answer_can_be_given_as_an_option(run, folder):
    """Nothing is asked with --yes; the rule is as written by hand, behind the others, and loads."""
    before = (folder / FILE).read_text("utf-8")
    said = run("new", folder, "--yes", *PERMIT, "--remark", "为低保核对")
    added = (folder / FILE).read_text("utf-8").removeprefix(before)
    assert added == (
        """
  # 为低保核对
  - id: low-income-check-2
    effect: permit
    who: {departments: [civil_affairs]}
    what: {dataset: tax.income, fields: [tax_year, taxable_income]}
    why:
      purposes: [low_income_check]
      legal_basis: [某法 第一条, 某办法 第二条]
    when: {from: "2026-01-01", until: "2026-12-31"}
    limits: {calls_per_day: 500}
    obligations:
      mask:
        taxable_income: {predicate: {op: le, value: 12000}}
      retain_days: 30
      signed_application: true
      watermark: true
    consent: {application_no: GX-1, consumer_head: 甲, provider_head: 乙}
"""
    )
    assert "税务局许可民政局为“低保核对”查看" in said
    assert "low-income-check-2" in run("show", folder, "--rule", "low-income-check-2")
    assert "0 file(s)" in run("fmt", folder, "--check")
    assert FILE not in run("lint", folder)


def test_a_first_rule_makes_a_file(run, folder):
    """A department without a policy gets one, with a head of its own."""
    (folder / "sharing/housing-fund-account.yaml").unlink()
    options = (
        "--owner",
        "housing_fund",
        "--dataset",
        "housing_fund.account",
        "--effect",
        "deny",
        "--fields",
        "all",
    )
    run("new", folder, "--yes", *options, "--departments", "all")
    written = (folder / "sharing/housing-fund-account-001.yaml").read_text("utf-8")
    assert written.startswith(
        "# 住房公积金管理中心对《住房公积金个人账户信息》的共享规则。\nformat: share-policy/v1\n"
    )
    assert "id: housing-fund-account-001\nowner: housing_fund\n" in written


def test_a_review_says_who_reviews(run, folder):
    """Reviewers, their number and their days are stated."""
    options = ("--owner", "tax", "--dataset", "tax.income", "--effect", "review", "--fields", "name")
    said = run("new", folder, "--yes", *options, "--departments", "all", "--review-by", "provider,authority")
    assert "review: {by: [provider, authority], count: 1, within_working_days: 5}" in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("--owner", "税物局"), "是否指“税务局 tax”"),
        (("--dataset", "tax.incom"), "--dataset：没有数据资源"),
        (("--fields", "tax_year,taxable_incom"), "应纳税所得额"),
        (("--departments", "civil_affair"), "民政局"),
        (("--purposes", "低保"), "低保核对 low_income_check"),
        (("--from", "2026-02-30"), "没有这一天"),
        (("--until", "2025-12-31"), "截止日早于起始日"),
        (("--calls-per-day", "五百"), "1 以上的整数"),
        (("--mask", "tax_year=year"), "脱敏方式不可用"),
        (("--legal-basis", " "), "请写明"),
        (("--policy", "civil-affairs-marriage-001"), "别的部门"),
        (("--rule", "low-income-check"), "已有此编号"),
        (("--rule", "Low"), "小写字母"),
        (("--dataset", "civil_affairs.adoption", "--owner", "民政局"), "不予共享"),
    ],
)
def test_a_slip_in_an_option_is_named_and_nothing_is_written(run, folder, change, said):
    """The option is named, the nearest name too, and the folder stays as it was."""
    before = snapshot(folder)
    with pytest.raises(SetUpError) as raised:
        run("new", folder, "--yes", *PERMIT, *change)
    assert said in raised.value.zh
    assert f"--{change[0][2:]}" in raised.value.zh
    assert snapshot(folder) == before


def test_what_has_no_default_must_be_given(run, folder):
    """Without anybody to ask, the missing option is named with its question."""
    with pytest.raises(SetUpError, match=r"--fields"):
        run("new", folder, "--yes", *PERMIT[:4])


# ── by answers ───────────────────────────────────────────────────────────────────────────────────


def test_slips_are_asked_again_and_a_no_writes_nothing(run, folder):
    """Piped answers are taken as typed ones, by number or title; the last word is the officer's."""
    before = snapshot(folder)
    answers = [
        "税物局",
        "8",
        "?",
        "3",
        "",
        "1",
        "1-2，所属年度",
        "all",
        "",
        "",
        "2026年3月1日",
        "",
        "",
        "",
        "n",
    ]
    said = run("new", folder, typed="\n".join(answers) + "\n")
    for words in (
        "没有部门“税物局”，是否指“税务局 tax”？",
        "did you mean “税务局 tax”?",
        "禁止优先于审核",
        "请回答，输入 ? 看说明 · please answer",
        "fields: [taxpayer_id, name, tax_year]",
        "税务局禁止任何部门为任何使用场景查看《个人所得税申报信息》的纳税人识别号、纳税人姓名、所属年度",
        "什么都没有写",
    ):
        assert words in said
    assert snapshot(folder) == before


def test_answers_that_end_too_early_write_nothing(run, folder):
    """A pipe that closes is no consent."""
    before = snapshot(folder)
    with pytest.raises(SetUpError, match="nothing was written"):
        run("new", folder, *DENY, typed="\n\n\n")
    assert snapshot(folder) == before


def test_a_file_that_changed_meanwhile_is_not_overwritten(run, folder, monkeypatch):
    """Somebody else's work, done while questions were answered, is not lost."""
    monkeypatch.setattr("broker.cli.policy.new._checked", change_then(folder / FILE))
    with pytest.raises(SetUpError, match="meanwhile"):
        run("new", folder, "--yes", *DENY)
    assert (folder / FILE).read_text("utf-8").endswith("# changed\n")


def change_then(path):
    """The check, after which somebody else appends to ``path``."""
    from broker.cli.policy.new import _checked

    def checked(*arguments):
        content = _checked(*arguments)
        path.write_bytes(path.read_bytes() + b"# changed\n")
        return content

    return checked


# ── in a terminal ────────────────────────────────────────────────────────────────────────────────


class Officer:
    """Somebody at a terminal, who waits for a question before answering it."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._fd, terminal = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "broker.cli", "policy", "new", folder, *options],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            cwd=folder.parent,
            start_new_session=True,
            env={**os.environ, "TERM": "dumb", "PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(Path.cwd())},
        )
        os.close(terminal)
        self.seen = b""
        self._read = 0

    def waits_for(self, words: str) -> None:
        """Until the terminal shows ``words``, behind all that was waited for before."""
        end = time.monotonic() + 300
        while (found := self.seen.find(words.encode(), self._read)) < 0:
            assert time.monotonic() < end, self.seen.decode(errors="replace")
            assert self._more(), self.seen.decode(errors="replace")
        self._read = found + len(words.encode())

    def types(self, answer: str) -> None:
        os.write(self._fd, f"{answer}\n".encode())

    def presses_ctrl_c(self) -> None:
        os.killpg(self.process.pid, signal.SIGINT)

    def presses_ctrl_c_until(self, words: str) -> None:
        """Again, if nothing happens: between two questions readline may miss it, as it does for people."""
        while words.encode() not in self.seen:
            self.presses_ctrl_c()
            while self._more(5) and words.encode() not in self.seen:
                pass

    def ends(self) -> int:
        """The exit code, when everything shown has been read."""
        while self._more():
            pass
        return self.process.wait(300)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._fd)

    def _more(self, seconds: float = 300) -> bool:
        if not select.select([self._fd], [], [], seconds)[0]:
            return False
        try:
            part = os.read(self._fd, 4096)
        except OSError:  # the other end is closed
            return False
        self.seen += part
        return bool(part)


def test_a_whole_interview_in_a_terminal(folder):
    """Question after question, with a slip on the way, until the rule is confirmed and written."""
    before = (folder / FILE).read_text("utf-8")
    with closing(Officer(folder, "--owner", "tax", "--effect", "deny")) as officer:
        for question, answer in (
            ("About which dataset?", "1"),
            ("Which fields?", "纳税人姓名 4"),
            ("Who may see it?", "housing_fnd"),
            ("did you mean “住房公积金管理中心 housing_fund”?", "housing_fund"),
            ("For which purposes?", ""),
            ("From which day?", "明天"),
            ("There is no such day", "2026-05-01"),
            ("Until which day?", ""),
            ("Into which policy?", ""),
            ("The rule's id?", "no-names"),
            ("A remark above", "公积金用不着姓名"),
            ("Tax Bureau forbids Housing Provident Fund Centre to see name, taxable_income", ""),
            ("Write it?", "y"),
        ):
            officer.waits_for(question)
            if answer or "forbids" not in question:
                officer.types(answer)
        assert officer.ends() == 0
    assert (folder / FILE).read_text("utf-8") == (
        before
        + """
  # 公积金用不着姓名
  - id: no-names
    effect: deny
    who: {departments: [housing_fund]}
    what: {dataset: tax.income, fields: [name, taxable_income]}
    when: {from: "2026-05-01"}
"""
    )


def test_ctrl_c_leaves_nothing_behind(folder):
    """Broken off at the very last question, in two lines and without a traceback, nothing is written."""
    before = snapshot(folder)
    with closing(Officer(folder, *DENY)) as officer:
        for question in (
            "For which purposes?",
            "From which",
            "Until",
            "Into which",
            "rule's id?",
            "A remark",
        ):
            officer.waits_for(question)
            officer.types("")
        officer.waits_for("Write it?")
        officer.presses_ctrl_c_until("什么都没有写")
        officer.presses_ctrl_c()  # as people do, when the first seems to take long
        assert officer.ends() == 130
        assert b"Traceback" not in officer.seen
    assert snapshot(folder) == before
