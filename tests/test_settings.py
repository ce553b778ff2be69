"""Settings: one file, overridden by the environment; what is unknown or out of bounds is told."""

from pathlib import Path

import pytest

from broker.cli import connection
from broker.errors import SetUpError
from broker.settings import Settings, load_settings


@pytest.fixture
def file(tmp_path):
    """Writes the settings file."""

    def write(content=""):
        path = tmp_path / "sharebroker.toml"
        path.write_text(content, "utf-8")
        return path

    return write


def problem(path):
    with pytest.raises(SetUpError) as refused:
        load_settings(path)
    assert str(path) in refused.value.zh
    assert str(path) in refused.value.en
    return refused.value.en


def test_empty_file_is_the_defaults(file, tmp_path):
    """Every setting has a default, and relative paths start at the file."""
    settings = load_settings(file())
    assert settings.model_dump() == Settings().model_dump()
    assert settings.path(settings.policies.folder) == tmp_path / "policies"
    assert settings.path(Path("/etc/policies")) == Path("/etc/policies")


def test_every_setting_is_documented():
    """A setting without a description would be missing from docs/settings.md."""
    for name, section in Settings.model_fields.items():
        if name == "base":
            continue
        assert section.annotation.__doc__
        for setting in section.annotation.model_fields.values():
            assert setting.description.endswith("."), setting


def test_file_and_environment(file, monkeypatch):
    """The environment overrides the file, setting by setting."""
    path = file('[server]\nthreads = 5\nlisten = "127.0.0.1:1"\n')
    monkeypatch.setenv("SHAREBROKER_SERVER__THREADS", "6")
    monkeypatch.setenv("SHAREBROKER_MASKING__ALLOWED", '["redact"]')
    settings = load_settings(path)
    assert (settings.server.threads, settings.server.listen) == (6, "127.0.0.1:1")
    assert settings.masking.allowed == ("redact",)


def test_relative_database_lies_beside_the_file(file, tmp_path, monkeypatch):
    """Wherever the broker is started, its SQLite file is the same; other URLs stay as they are."""
    assert load_settings(file('[store]\nurl = "sqlite:///a.db"\n')).store_url == f"sqlite:///{tmp_path}/a.db"
    for url in ("sqlite:////var/lib/a.db", "postgresql+psycopg://user:word@host/name"):
        assert load_settings(file(f'[store]\nurl = "{url}"\n')).store_url == url
    monkeypatch.chdir(tmp_path)
    file()
    assert load_settings(Path("sharebroker.toml")).store_url == f"sqlite:///{tmp_path}/sharebroker.db"


@pytest.mark.parametrize(
    ("content", "mention"),
    [
        ("[server]\nthreads = 0\n", "[server.threads]"),
        ("[server]\nthreads = 'many'\n", "[server.threads]"),
        ("[server]\nthread = 5\n", "[server.thread]"),
        ("[servr]\nthreads = 5\n", "[servr]"),
        ("threads = 5\n", "[threads]"),
        ("[log]\nclock_tolerance_seconds = -1\n", "[log.clock_tolerance_seconds]"),
        ("[server]\nlisten = '7443'\n", "[server.listen]"),
        ("[server]\nlisten = '127.0.0.1:65536'\n", "[server.listen]"),
        ("[server\n", "TOML"),
    ],
)
def test_wrong_setting_is_named(file, content, mention):
    """With its place, and all of them at once."""
    assert mention in problem(file(content))


def test_all_wrong_settings_at_once(file):
    """One message for everything."""
    told = problem(file("[server]\nthreads = 0\ndrain_seconds = 0\n[log]\norigins = 1\n"))
    for mention in ("server.threads", "server.drain_seconds", "log.origins"):
        assert mention in told


def test_message_does_not_repeat_values(file):
    """A password in a wrong place stays there."""
    assert "hunter2" not in problem(file("[store]\nurl = ['hunter2']\n[server]\nthreads = 'hunter2'\n"))


@pytest.mark.parametrize(
    "listen", ["127.0.0.1:0", "0.0.0.0:65535", "[::1]:7443", "broker.xinghe.example:7443"]
)
def test_addresses(file, listen):
    """Hosts by number, in brackets or by name."""
    assert load_settings(file(f'[server]\nlisten = "{listen}"\n')).server.listen == listen


def test_file_that_cannot_be_read(tmp_path):
    """A missing file, a folder, and bytes that are no text are told as what they are."""
    assert "missing" in problem(tmp_path / "nowhere.toml")
    assert "missing" in problem(tmp_path)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    assert "TOML" in problem(binary)


@pytest.mark.parametrize(
    ("name", "value", "mention"),
    [
        ("SHAREBROKER_SERVER__THREADS", "0", "server.threads"),
        ("SHAREBROKER_SERVER__THREAD", "5", "server.thread"),
        ("SHAREBROKER_SERVR__THREADS", "5", "SHAREBROKER_SERVR__THREADS"),
        ("SHAREBROKER_SERVER", "threads", "server"),
        ("SHAREBROKER_MASKING__ALLOWED", "redact", "masking"),
    ],
)
def test_wrong_setting_in_the_environment_is_named(file, monkeypatch, name, value, mention):
    """A slip in the environment is no more ignored than one in the file."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SetUpError) as refused:
        load_settings(file())
    assert mention in refused.value.en
    assert "no TOML" not in refused.value.en


def test_what_the_other_commands_take_from_the_environment_is_no_setting(file, monkeypatch):
    """On one machine may stand both what a client needs and what the broker needs."""
    for annotated in (connection.Address, connection.Folder):
        monkeypatch.setenv(annotated.__metadata__[0].envvar, "somewhere")
    monkeypatch.setenv("SHAREBROKER_FAILPOINTS", "")
    assert load_settings(file())
