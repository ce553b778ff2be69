"""docs/client.md is run, and leaves nothing out that the client offers."""

import inspect
import re
from pathlib import Path

import broker.client
from broker import errors

PAGE = Path(__file__).parents[2] / "docs" / "client.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)


def blocks():
    """Each block as code, with the line of the page at which it begins."""
    text = PAGE.read_text("utf-8")
    return [(text.count("\n", 0, found.start(1)), found[1]) for found in BLOCK.finditer(text)]


def test_every_block_runs(in_demo, capsys):
    """The blocks run one after the other, as a reader would type them, and give what the page says."""
    names = {"__name__": "client_md"}
    for line, code in blocks():
        exec(compile("\n" * line + code, str(PAGE), "exec"), names)  # noqa: S102 - our own documentation
    assert names["exchanged"].permitted
    assert names["exchanged"].attempts == 1
    assert names["stream"].outcome.counts.released == names["frame"].height == names["rows"] > 0
    assert names["second"].redelivered
    assert names["verified"].statement["case_no"] == names["terms"]["case_no"]
    assert names["again"] is None
    printed = capsys.readouterr().out.splitlines()
    assert "True True 1" in printed  # redelivered, under the same receipt, in one attempt


def test_everything_public_is_explained():
    """Every class, function and error that a programmer meets stands in the page."""
    text = PAGE.read_text("utf-8")
    # What calls give is shown by name of the call.
    offered = set(broker.client.__all__) - {"Exchanged", "Stream", "AsyncStream"}
    raised = {
        name
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, Exception) and kind.__module__ == errors.__name__
    }
    calls = {
        name
        for kind in (broker.client.Client, broker.client.Exchanged)
        for name, _ in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }
    assert {name for name in offered | raised | calls if not re.search(rf"\b{name}\b", text)} == set()


def test_twins_offer_the_same():
    """AsyncClient and AsyncStream have the methods of Client and Stream, with the same parameters."""
    for sync, twin in (
        (broker.client.Client, broker.client.AsyncClient),
        (broker.client.Stream, broker.client.AsyncStream),
    ):
        for name, method in inspect.getmembers(sync, inspect.isfunction):
            if not name.startswith("_"):
                parameters = inspect.signature(method).parameters
                assert inspect.signature(getattr(twin, name)).parameters == parameters
