"""The README's example runs, and both READMEs are the same page in two languages."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from broker.client import VerifierKey, parse_receipt, verify_receipt

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "README.zh-CN.md")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
LINK = re.compile(r"\]\(([^)#:]+)\)")


def text(page):
    return (ROOT / page).read_text("utf-8")


def blocks(page):
    """Language → its blocks, in order; the drawing has none, and is translated."""
    found = {}
    for language, code in BLOCK.findall(text(page)):
        found.setdefault(language, []).append(code)
    return found


def headings(page):
    return re.findall(r"^(#+) ", BLOCK.sub("", text(page)), re.M)


def test_example_gives_a_verified_permit(demo, tmp_path):
    """The example of the README, run as it says, prints a permit and writes a receipt that verifies."""
    (code,) = blocks("README.md")["python"]
    (tmp_path / "example.py").write_text(code, "utf-8")
    folder = demo / "var" / "demo"
    done = subprocess.run(
        [sys.executable, "example.py", str(folder)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    decision, status, record, receipt = done.stdout.splitlines()
    assert decision.startswith("decision: permit civil-affairs-marriage-001/")
    assert status.startswith("status: found as of ")
    assert record.startswith("record: ")
    assert receipt.endswith("written to receipt.json")
    written = parse_receipt((tmp_path / "receipt.json").read_bytes())
    trust = VerifierKey.parse((folder / "log.vkey").read_text("utf-8").strip())
    assert verify_receipt(written, trust).statement["decision"]["verdict"] == "permit"
    assert f"receipt: {written.leaf_index} " in receipt


def test_example_is_the_file():
    """The example stands in both READMEs as it stands in examples/."""
    (code,) = blocks("README.md")["python"]
    assert code == (ROOT / "examples" / "first_exchange.py").read_text("utf-8")


def test_both_languages_have_one_structure():
    """The same headings, commands and examples, so that neither page says less than the other."""
    first, second = map(blocks, PAGES)
    assert len(first.pop("")) == len(second.pop(""))
    assert first == second
    assert headings(PAGES[0]) == headings(PAGES[1])


def test_both_languages_link_to_the_same_pages():
    """The same links in both, but for the one to the other language; each leads somewhere."""
    first, second = (set(LINK.findall(text(page))) - set(PAGES) for page in PAGES)
    assert first == second
    assert [link for link in first if not (ROOT / link).exists()] == []


def test_every_page_is_linked():
    """Whoever reads the README finds every page of the documentation."""
    pages = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")}
    assert pages - set(LINK.findall(text("README.md"))) == set()


def test_policy_commands_find_the_sample_sound():
    """The commands shown to officers run on the shipped policies, and find nothing wrong with them."""
    commands = re.findall(r"^\$ \.venv/bin/sharebroker (policy .+)$", text("README.md"), re.M)
    assert [command.split()[1] for command in commands] == ["lint", "test", "show", "explain"]
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", "broker.cli", *command.split()], cwd=ROOT, capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, b""), command


@pytest.mark.parametrize("page", PAGES)
def test_each_language_links_to_the_other(page):
    """Whoever opened the wrong one finds the right one."""
    (other,) = set(PAGES) - {page}
    assert f"({other})" in text(page)
