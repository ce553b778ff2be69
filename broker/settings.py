"""Settings: one TOML file, overridden by the environment, every setting documented here.

``SHAREBROKER_STORE__URL=postgresql+psycopg://…`` overrides ``[store] url``. Relative paths start at the
folder of the settings file. An unknown setting is an error.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from broker.errors import SetUpError

PREFIX = "SHAREBROKER_"
Positive = Annotated[int, Field(gt=0)]


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not (host and port.isascii() and port.isdigit() and int(port) < 65536):
        raise ValueError("must read host:port, the port from 0 to 65535")
    return text


Address = Annotated[str, AfterValidator(_address)]
"""``host:port``, an IPv6 host in brackets."""


class Section(BaseModel):
    """Base of every section: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Server(Section):
    """Where and how the broker listens."""

    listen: Address = Field(
        "127.0.0.1:7443", description="Address and port; port 0 lets the system choose one."
    )
    stream_listen: Address = Field(
        "127.0.0.1:7444",
        description="Address and port of the stream workers, when there are several workers.",
    )
    workers: Literal["auto"] | Positive = Field(
        "auto",
        description="Processes that serve calls, each on a core of its own; `auto`: one for every core. "
        "With 1 a single process serves everything on one port.",
    )
    stream_workers: Positive = Field(
        1, description="Processes that serve streams, when there are several workers."
    )
    max_streams: Positive = Field(
        32,
        description="Streams at once in one process that serves them, of which one system may have half; "
        "more are refused, with a time after which to ask again.",
    )
    threads: Positive = Field(64, description="Threads of each process that run calls other than streams.")
    max_concurrent_calls: Positive = Field(
        1024,
        description="Calls at once in one process, those that wait for a thread included; more are "
        "refused, with a time after which to ask again. One connection may have a quarter of them.",
    )
    stall_seconds: Positive = Field(
        60,
        description="How long a call waits for its caller, to send the request or to take what is sent, "
        "before it is ended.",
    )
    max_connection_age_seconds: int = Field(
        600,
        ge=0,
        description="After so long (give or take a tenth) a connection to a unary worker is replaced by the "
        "client, so that connections spread over the workers; calls under way get `drain_seconds`. 0: never.",
    )
    max_request_bytes: Positive = Field(1024 * 1024, description="Largest request message, in bytes.")
    max_answer_bytes: Positive = Field(
        2 * 1024 * 1024, description="Largest unary answer, in bytes; larger ones must be streamed."
    )
    stream_chunk_bytes: Positive = Field(1024 * 1024, description="Size of a stream's chunks, in bytes.")
    stream_batch_rows: Positive = Field(8192, description="Rows read, masked and sent at a time in a stream.")
    stream_lease_seconds: float = Field(
        30.0,
        ge=1,
        description="How long, in seconds, a stream's process may give no sign of life before the stream is "
        "receipted as interrupted.",
    )
    drain_seconds: Positive = Field(20, description="How long SIGTERM waits for calls under way, in seconds.")
    port_file: Path | None = Field(None, description="File to write the port to, once the broker serves.")


class IdentitySettings(Section):
    """The broker's own certificate, and what proves a caller's."""

    certificate: Path = Field(Path("pki/broker/cert.pem"), description="The broker's certificate chain, PEM.")
    key: Path = Field(
        Path("pki/broker/key.pem"), description="Its private key, PEM, readable by its owner only."
    )
    ca: Path = Field(
        Path("pki/ca.pem"), description="Root certificate that signed the callers' certificates."
    )
    crl: Path = Field(
        Path("pki/crl.pem"),
        description="Revocation list of that authority. At start it is put in force when it is newer than "
        "the one that is; later on by `sharebroker revocations publish`. Without a current one nothing is "
        "released.",
    )


class Policies(Section):
    """The bundle: catalog, service items and sharing rules."""

    folder: Path = Field(
        Path("policies"),
        description="Folder with city.yaml, catalog/, sharing/ …, put in force at the very first start; from "
        "then on a draft, until `sharebroker policy publish`.",
    )
    approval: Literal["operator", "officers"] = Field(
        "operator",
        description="Who puts policies in force. `operator`: whoever may run `sharebroker policy publish "
        "FOLDER` on this database; for trying out. `officers`: one officer proposes, officers of the "
        "departments concerned approve, each by signature, and a permit speaks only while that stands.",
    )
    approval_days: Positive = Field(
        365, description="Longest that a standing approval stands, in days, whatever was signed."
    )


class Sources(Section):
    """Where providers' data are, in embedded mode."""

    folder: Path = Field(
        Path("data"), description="Folder at which relative urls and paths of the catalog start."
    )
    allowed: tuple[str, ...] = Field(("sql", "files"), description="Kinds of source that may be used.")


class Masking(Section):
    """Which masking operators may be used, of those installed."""

    allowed: tuple[str, ...] = Field(
        (
            "redact",
            "constant",
            "partial",
            "truncate",
            "region",
            "year",
            "month",
            "age_band",
            "bucket",
            "round",
            "clip",
            "predicate",
            "pseudonym",
            "token",
            "encrypt",
            "category",
            "date_shift",
            "match",
        ),
        description="Operators that policies may use; with the version it must have: partial@1.",
    )
    detokenize_per_day: Positive = Field(
        1000,
        description="Tokens of one dataset that one department may have turned back in a day of the city, "
        "all of them approved by an officer.",
    )


class Keys(Section):
    """Secret keys; each file must be readable by its owner only."""

    keyring: Path = Field(
        Path("keys/keyring.json"),
        description="Masking, tagging and binding keys, wrapped under the master key.",
    )
    master_key_file: Path = Field(
        Path("keys/master.key"),
        description="The master key, which opens the keyring: 32 bytes, 64 hexadecimal digits or base64. "
        "Keep it apart from the keyring and its backups. The environment's `SHAREBROKER_MASTER_KEY` goes "
        "before it; a file is better, for the environment shows in process listings and crash reports.",
    )
    log_key: Path = Field(Path("keys/log.key"), description="Ed25519 key that signs the log's head, PEM.")
    signer_state: Path = Field(
        Path("keys/log.checkpoint"),
        description="The signer's memory, the last head it signed; never restore it from a backup.",
    )


class Store(Section):
    """The database of receipts."""

    url: str = Field(
        "sqlite:///sharebroker.db",
        description="SQLAlchemy URL: SQLite (path relative to this file) or PostgreSQL.",
    )


class VaultSettings(Section):
    """The subject vault: a key for every person, apart from the broker's database and its backups."""

    url: str = Field(
        "",
        description="SQLAlchemy URL of a database of its own: SQLite (path relative to this file), or "
        "PostgreSQL where several hosts share it; `sharebroker vault init` makes it. Empty: no vault; "
        "persons are then tagged by the keyring, no omission shows, and nobody can be forgotten.",
    )
    master_key_file: Path = Field(
        Path("vault/master.key"),
        description="The key that opens the vault: 32 bytes, 64 hexadecimal digits or base64. Another one "
        "than the keyring's, kept apart from the vault's backups.",
    )


class Log(Section):
    """The receipt log."""

    origin: str = Field(
        "sharebroker.example/log",
        description="Name of the log in its checkpoints; never change it after the start.",
    )
    clock_tolerance_seconds: float = Field(
        1.0,
        ge=0,
        description="How far the clock may be behind the last receipt before releasing stops, in seconds.",
    )
    http_listen: str = Field(
        "",
        description="`host:port` where `sharebroker log serve` shows the log to anybody, read-only; "
        "HTTP without TLS. Empty: nowhere. `sharebroker serve` never listens there.",
    )


class Witnesses(Section):
    """Offices apart that see that the log only grows (`sharebroker witness`), and cosign that it does."""

    known: dict[str, str] = Field(
        {},
        description="Witness key (as its office gave it) = address where that witness listens, such as "
        "`https://audit.example:7090/`.",
    )
    quorum: int = Field(
        0,
        ge=0,
        description="How many of them must have cosigned a log head before the public sees it; 0: none.",
    )
    stop_releasing_after_seconds: float = Field(
        0,
        ge=0,
        description="Releasing stops while a receipt is older than this and no cosigned log head covers it; "
        "it goes on by itself. 0: never.",
    )
    ca: Path | None = Field(
        None, description="Root certificates of the witnesses' addresses, PEM; those of the system without."
    )


Years = Annotated[int, Field(ge=3, le=100)]


class Retention(Section):
    """How long statements are kept; `sharebroker retention run` erases those that are older."""

    years: Literal[0] | Years = Field(
        0,
        description="Years that statements are kept, at least 3 (《政务数据共享条例》 art. 29); 0: for good. "
        "Hashes and proofs are kept for ever.",
    )
    hold: tuple[str, ...] = Field(
        (),
        description="Datasets whose statements are kept whatever their age, as long as they are listed here.",
    )
    hold_cases: tuple[str, ...] = Field(
        (),
        description="Case numbers, likewise, with what consumers signed for what they were given in them.",
    )
    datasets: dict[str, Years] = Field(
        {}, description="Years for statements about these datasets, in place of `years`."
    )
    purposes: dict[str, Years] = Field(
        {},
        description="Years for statements for these purposes, in place of `years`; of a dataset's and a "
        "purpose's the longer.",
    )


class Settings(BaseSettings):
    """All settings of ``sharebroker serve``."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    server: Server = Server()
    identity: IdentitySettings = IdentitySettings()
    policies: Policies = Policies()
    sources: Sources = Sources()
    masking: Masking = Masking()
    keys: Keys = Keys()
    store: Store = Store()
    log: Log = Log()
    witnesses: Witnesses = Witnesses()
    retention: Retention = Retention()
    vault: VaultSettings = VaultSettings()
    base: Path = Field(Path(), exclude=True, description="Folder of the settings file; set by loading it.")

    def path(self, relative: Path) -> Path:
        """``relative`` seen from the settings file."""
        return self.base / relative

    @property
    def store_url(self) -> str:
        """The store's URL, with a relative SQLite path made absolute."""
        return self._absolute(self.store.url)

    @property
    def vault_url(self) -> str:
        """The vault's URL, likewise; empty without one."""
        return self._absolute(self.vault.url)

    def _absolute(self, url: str) -> str:
        prefix = "sqlite:///"
        if url.startswith(prefix) and not url.startswith(prefix + "/"):
            return prefix + str(self.path(Path(url.removeprefix(prefix))).resolve())
        return url


def load_settings(file: Path) -> Settings:
    """Settings from ``file`` and the environment; the environment wins.

    Raises:
        SetUpError: the file is missing, is no TOML, or it or the environment holds a setting that is unknown
            or out of bounds.
    """
    if not file.is_file():
        raise SetUpError(f"找不到配置文件 {file}。", f"Settings file {file} is missing.")
    if unknown := ", ".join(_unknown_variables()):
        raise SetUpError(
            f"环境变量 {unknown} 不是配置项。", f"No such setting in the environment: {unknown}."
        )

    class FromFile(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, file)

    try:
        return FromFile(base=file.parent.resolve())
    except ValidationError as error:
        wrong = "; ".join(
            f"[{'.'.join(map(str, e['loc']))}] {e['msg']}" for e in error.errors(include_input=False)
        )
        raise SetUpError(
            f"配置文件 {file} 有误：{wrong}", f"Settings file {file} is wrong: {wrong}"
        ) from None
    except SettingsError as error:
        raise SetUpError(f"环境变量有误：{error}", f"The environment is wrong: {error}") from None
    except ValueError as error:
        raise SetUpError(
            f"配置文件 {file} 不是有效的 TOML：{error}", f"Settings file {file} is no TOML: {error}"
        ) from None


def _unknown_variables() -> Iterator[str]:
    """Variables of the form ``SHAREBROKER_SECTION__SETTING`` whose section there is not."""
    for name in os.environ:
        section = name.upper().removeprefix(PREFIX).partition("__")[0].lower()
        if name.upper().startswith(PREFIX) and "__" in name and section not in Settings.model_fields:
            yield name
