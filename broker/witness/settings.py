"""Settings of a witness: one TOML file in a folder of its own, every setting documented here.

Relative paths start at that folder. An unknown setting is an error.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import Field, ValidationError, field_validator

from broker.errors import SetUpError, VerificationFailed
from broker.receipt.note import VerifierKey, is_name
from broker.settings import Address, Section

FILE = "witness.toml"


class KnownLog(Section):
    """One key of one log that is witnessed. A log whose key changed has one such section for each key."""

    vkey: str = Field(
        description="Verifier key of the log, got from its authority on another way than the network."
    )
    origin: str = Field(
        "", description="Name of the log in its checkpoints; empty: the name in the verifier key."
    )
    mirror: str = Field(
        "",
        description="Where the log is shown over HTTP (`sharebroker log serve`, or a web server). An own "
        "copy is kept then, and all of it verified. Empty: no copy.",
    )

    @field_validator("vkey")
    @classmethod
    def _is_key(cls, value: str) -> str:
        try:
            VerifierKey.parse(value)
        except VerificationFailed as error:
            raise ValueError(str(error)) from None
        return value

    @property
    def key(self) -> VerifierKey:
        return VerifierKey.parse(self.vkey)

    @property
    def name(self) -> str:
        """The log's origin."""
        return self.origin or self.key.name


class WitnessSettings(Section):
    """All settings of ``sharebroker witness``."""

    name: str = Field(description="Name of the witness in its cosignatures; never change it.")
    listen: Address = Field(
        "127.0.0.1:7090", description="Address and port; port 0 lets the system choose one."
    )
    key: Path = Field(Path("witness.key"), description="Ed25519 key of the witness, PEM, its own only.")
    state: Path = Field(
        Path("witness.db"),
        description="What was cosigned last, of each log; never restore it from a backup, never copy it.",
    )
    copies: Path = Field(Path("copies"), description="Folder of the own copies, one folder for each log.")
    mirror_seconds: float = Field(
        60.0, gt=0, description="How often a log is looked at for an own copy, in seconds."
    )
    tls_certificate: Path | None = Field(
        None, description="Certificate chain, PEM, to serve HTTPS; none: HTTP (signatures protect either)."
    )
    tls_key: Path | None = Field(None, description="Its private key, PEM.")
    ca: Path | None = Field(
        None, description="Root certificates, PEM, to believe when a log is copied over HTTPS."
    )
    log: tuple[KnownLog, ...] = Field((), description="The logs that are witnessed.")
    base: Path = Field(Path(), exclude=True, description="Folder of the settings; set by loading them.")

    @field_validator("name")
    @classmethod
    def _is_name(cls, value: str) -> str:
        if not is_name(value):
            raise ValueError("must not be empty, nor have spaces or plus signs")
        return value

    def path(self, relative: Path) -> Path:
        """``relative`` seen from the folder."""
        return self.base / relative

    def logs(self) -> dict[str, tuple[KnownLog, ...]]:
        """The logs by origin, each with all its keys."""
        names = dict.fromkeys(log.name for log in self.log)
        return {name: tuple(log for log in self.log if log.name == name) for name in names}


def load_witness(folder: Path) -> WitnessSettings:
    """The settings in ``folder``.

    Raises:
        SetUpError: there are none, or one is unknown or out of bounds; says which.
    """
    file = folder / FILE
    try:
        content = tomllib.loads(file.read_text("utf-8"))
        return WitnessSettings.model_validate({**content, "base": folder.resolve()})
    except OSError:
        raise SetUpError(
            f"找不到见证人配置 {file}。请先运行 sharebroker witness init {folder} --name 名称。",
            f"There is no {file}. Run `sharebroker witness init {folder} --name NAME` first.",
        ) from None
    except ValidationError as error:
        wrong = "; ".join(
            f"[{'.'.join(map(str, e['loc']))}] {e['msg']}" for e in error.errors(include_input=False)
        )
        raise SetUpError(
            f"见证人配置 {file} 有误：{wrong}", f"The witness's settings {file} are wrong: {wrong}"
        ) from None
    except ValueError as error:
        raise SetUpError(
            f"见证人配置 {file} 不是有效的 TOML：{error}", f"{file} is no TOML: {error}"
        ) from None
