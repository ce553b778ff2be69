"""The citizen's view as a page: one file, no script, nothing loaded, every text shown as text."""

from __future__ import annotations

import html
from collections.abc import Iterable

from broker.cli.subject_words import Block

_HEAD = """<!DOCTYPE html>
<html lang="zh-CN"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>个人信息共享记录</title>
<style>
body { font-family: sans-serif; max-width: 50em; margin: 2em auto; line-height: 1.5 }
table { border-collapse: collapse; width: 100% }
th, td { border: 1px solid #999; padding: .3em .6em; text-align: left; vertical-align: top }
th { width: 9em; font-weight: normal; background: #eee }
td { white-space: pre-wrap; overflow-wrap: anywhere }
small { color: #555 }
h2 { font-size: 1.1em; margin-bottom: .3em }
</style></head><body>
<h1>个人信息共享记录 <small>who was told what of you</small></h1>
"""


def page(about: Iterable[str], blocks: Iterable[Block]) -> bytes:
    """The page, UTF-8; ``about`` are sentences that stand first."""
    paragraphs = [f"<p>{_text(sentence)}</p>" for sentence in about]
    return "\n".join([_HEAD, *paragraphs, *map(_block, blocks), "</body></html>\n"]).encode()


def _block(block: Block) -> str:
    rows = [
        f"<tr><th>{_text(zh)} <small>{_text(en)}</small></th><td>{_text(text)}</td></tr>"
        for zh, en, text in block.lines
    ]
    heading = f"<h2>{_text(block.zh)} <small>{_text(block.en)}</small></h2>"
    return "\n".join([heading, "<table>", *rows, "</table>"])


def _text(text: str) -> str:
    shown = (c if c.isprintable() or c in "\n\u3000" else f"\\u{{{ord(c):x}}}" for c in text)
    return html.escape("".join(shown))
