"""The commands that move the epoch refuse what would leave a leaf without meaning."""

import pytest
from typer.testing import CliRunner

from broker.cli import suspend
from broker.errors import SetUpError


@pytest.mark.parametrize("words", [["add", "--all"], ["lift", "1"]])
@pytest.mark.parametrize("reason", ["", "  "])
def test_suspension_without_reason_is_refused(words, reason):
    """Stopping or resuming sharing needs a reason that says something, before anything is opened."""
    result = CliRunner().invoke(suspend.app, [*words, "--reason", reason])
    assert isinstance(result.exception, SetUpError)
    assert "原因" in result.exception.zh
