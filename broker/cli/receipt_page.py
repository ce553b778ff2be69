"""What a receipt's bundle holds for people: a page in Chinese, and a README. Neither proves anything.

The page has no script, loads nothing, and shows every text of the statement as text. The same receipt gives
the same bytes, so that ``receipt verify`` can tell whether the page says what the statement says.
"""

from __future__ import annotations

import html
from collections.abc import Iterator

from broker.cli.receipt_text import lines
from broker.errors import VerificationFailed
from broker.model import Receipt
from broker.receipt.bundle import read_json
from broker.receipt.log_keys import parse_succession
from broker.receipt.note import VerifierKey
from broker.receipt.verify import STATEMENT

_HEADINGS = {
    "何事": (
        *("kind", "dataset", "fields", "service item", "case number"),
        *("act", "tokens", "file", "receipt of the delivery", "next key of the log"),
        *("error", "receipt concerned", "received as", "may be in streams"),
    ),
    "何人": (
        "consumer",
        "provider",
        "operator",
        "actor",
        "reader",
        "holder",
        "released to",
        "proposed by",
        "approved by",
        "signed by",
    ),
    "何时": (
        "recorded",
        "as of",
        "known until",
        "received",
        "dispose by",
        "disposed",
        "due",
        "kept for",
        "recorded before",
        "wrong from",
        "right from",
    ),
    "为何": ("purpose", "legal basis", "cause", "reason", "filters", "grounds"),
    "决定": ("verdict", "rules", "reasons", "duties", "review"),
    "脱敏": ("masks",),
    "结果": (
        "status",
        "rows",
        "stream",
        "turned back",
        "found",
        "delivery",
        "disposal",
        "method",
        "kept",
        "correction",
        "answer",
        "referred to",
        "reach",
        "late",
        "receipts given",
        "statements erased",
        "leaves",
        "on hold",
    ),
}
"""Which of the labels of :func:`lines` stand under which heading; the others stand under the last one."""

_OTHERS = "其他"

_HEAD = """<!DOCTYPE html>
<html lang="zh-CN"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>存证回执 {leaf_index}</title>
<style>
body {{ font-family: sans-serif; max-width: 50em; margin: 2em auto; line-height: 1.5 }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ border: 1px solid #999; padding: .3em .6em; text-align: left; vertical-align: top }}
th {{ width: 8em; font-weight: normal; background: #eee }}
td, pre {{ white-space: pre-wrap; overflow-wrap: anywhere }}
</style></head><body>
<h1>存证回执 {leaf_index}</h1>
<p>日志 {log} 的第 {leaf_index} 条存证，在其前 {tree_size} 条之中（序号从 0 起）。</p>
<p>本页只供阅读，不是证据。请用另行取得的日志公钥验证：<br>
<code>sharebroker receipt verify 本回执包.zip --trust 日志公钥文件</code></p>
"""

_KEYS = """<p>日志换过 {times} 次密钥。log-keys.json 是新旧密钥共同签名的更替记录：
信任其中任何一把，即可验证。</p>
<table>
{rows}
</table>
"""

README = """存证回执包 / A receipt that proves itself

receipt.html        供人阅读的说明，不是证据 / for people; proves nothing
statement.json      存证内容原文 / the statement, its exact bytes
checkpoint.txt      已签名的日志头 / the signed log head (C2SP tlog-checkpoint)
receipt.tlog-proof  包含证明 / the proof that the log holds the statement (C2SP tlog-proof)
receipt.json        以上三者合一 / statement, head and proof in one file (share-receipt/v1)
log.vkey            日志公钥，仅供对照 / the log's key, to compare with only

验证 / Verify
  sharebroker receipt verify 本回执包.zip --trust 日志公钥文件
  日志公钥须另行向主管部门取得；随包附带的公钥不能作为信任依据。
  Get the log's key from the authority another way: a key that travels with a receipt proves nothing.

acts/               所附签署原文（COSE_Sign1），statement.json 记有其 SHA-256；申请不含查询对象
                    what was signed; its SHA-256 is in statement.json; an application names no subject
certificate-chains/ 所涉证书的证书链，各为一份回执 / the certificates' chains, each a receipt of its own
早期的存证没有这两项。 / Early receipts have neither.
log-keys.json       日志换过密钥时：新旧密钥共同签名的更替记录，信任其中任何一把即可验证
                    where the log has had several keys: each succession, signed by both; any of them will do

不用本软件验证 / Verify without this software
  checkpoint.txt 空行之前（含行尾换行）为被签名的正文，其后为签名行：
  "— 名称 base64(4 字节密钥编号 ‖ 64 字节 Ed25519 签名)"。
  In checkpoint.txt, the text up to the blank line (with the newline before it) is signed by the line after
  it: dash, name, base64 of 4 bytes of key id and 64 bytes of Ed25519 signature. With them in the files text
  and signature, and the key as PEM:
    openssl pkeyutl -verify -rawin -pubin -inkey key.pem -sigfile signature -in text
  存证在日志中的条目为 0x01 ‖ SHA-256(statement.json)；证明按 RFC 9162 第 2.1.3.2 节计算到树根。
  The log's entry is 0x01 followed by SHA-256(statement.json); the proof leads from it to the root in the
  log head as in RFC 9162, section 2.1.3.2.
""".encode()


def page(receipt: Receipt, log: VerifierKey) -> bytes:
    """The page of a verified receipt, UTF-8.

    Raises:
        VerificationFailed: the statement is no JSON object.
    """
    head = _HEAD.format(leaf_index=receipt.leaf_index, tree_size=receipt.tree_size, log=_text(log.name))
    return "\n".join([head, *_keys(receipt), *_body(receipt.statement), "</body></html>\n"]).encode()


def _keys(receipt: Receipt) -> Iterator[str]:
    """The keys of a log that has had several, and from which leaf on each of them signs."""
    if receipt.successions:
        chain = [parse_succession(note) for note in receipt.successions]
        first = _row("自第 0 条", str(chain[0].old))
        rows = [first, *(_row(f"自第 {one.leaf_index} 条", str(one.new)) for one in chain)]
        yield _KEYS.format(times=len(chain), rows="\n".join(rows))


def _body(statement: bytes) -> Iterator[str]:
    said = _said(statement)
    placed = {label for labels in _HEADINGS.values() for label in labels}
    others = tuple(label for _, label, _ in said if label not in placed)
    for heading, labels in {**_HEADINGS, _OTHERS: others}.items():
        if rows := [_row(zh, text) for zh, label, text in said if label in labels and text]:
            yield f"<h2>{heading}</h2>\n<table>\n" + "\n".join(rows) + "\n</table>"
    yield f"<h2>存证内容原文</h2>\n<pre>{_text(statement.decode('utf-8', 'replace'))}</pre>"


def _said(statement: bytes) -> list[tuple[str, str, str]]:
    """What the statement tells; nothing if it is of a form unknown here: its text stands there anyway."""
    content = read_json(statement, STATEMENT)
    try:
        return [(zh, label, str(text)) for zh, label, text in lines(content, zh=True)]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, VerificationFailed):
        return []


def _row(label: str, text: str) -> str:
    return f"<tr><th>{_text(label)}</th><td>{_text(text)}</td></tr>"


def _text(text: str) -> str:
    """As text, in which nothing is markup, hides, or turns what is beside it."""
    shown = (c if c.isprintable() or c in "\n\u3000" else f"\\u{{{ord(c):x}}}" for c in text)
    return html.escape("".join(shown))
