"""The forms a receipt is exported in, and what a file in each of them proves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cryptography import x509

from broker.acknowledge.evidence import verified as acknowledged
from broker.cli.receipt_page import README, page
from broker.client import Client, VerifierKey, export_receipt, parse_receipt, verify_receipt
from broker.disposal.evidence import verified as disposed
from broker.errors import SetUpError, VerificationFailed
from broker.model import EntryKind, Receipt
from broker.reasons import Sentence
from broker.receipt import cose_receipt, tlog_proof, zipped
from broker.receipt.bundle import read_json
from broker.receipt.log_keys import Trust, led
from broker.receipt.named_acts import acts_of, approvals_of, certificates_of
from broker.receipt.note import Checkpoint
from broker.receipt.signed_acts import verify_acts
from broker.receipt.verify import STATEMENT
from broker.receipt.witnesses import Cosignature
from broker.receipt.zipped import Zipped


class Form(StrEnum):
    """How a receipt is written down."""

    JSON = "json"
    COSE = "cose"
    TLOG_PROOF = "tlog-proof"
    BUNDLE = "bundle"

    @classmethod
    def of_file(cls, path: Path | None) -> Form:
        """The form that a file of this name has; JSON where the name does not say."""
        return _BY_SUFFIX.get(path.suffix.lower(), cls.JSON) if path else cls.JSON


_BY_SUFFIX = {".zip": Form.BUNDLE, ".cose": Form.COSE, ".tlog-proof": Form.TLOG_PROOF}


@dataclass(frozen=True, slots=True)
class Exported:
    """A receipt from a file, not verified yet; ``bundle`` and ``cose`` only if it came as one."""

    form: Form
    receipt: Receipt
    bundle: Zipped | None = None
    cose: bytes = b""


HOLDS = (
    Sentence("日志头由所信任的公钥签名", "the trusted key has signed the log head"),
    Sentence("该日志头下的日志含有这条存证，一字不差", "the log under that head holds this very statement"),
)
PAGE_HOLDS = Sentence("receipt.html 与存证内容一致", "receipt.html says what the statement says")
HOLDS_NOT = (
    Sentence(
        "存证内容是否属实、是否完整：日志只证明何时记下了什么", "that the statement is true or complete"
    ),
    Sentence("日志此后未被改写：须与另存的日志头比对", "that the log was not rewritten: compare kept heads"),
)
_ONLY_HASHED = Sentence(
    "所签原文与证书：此文件只有其散列；回执包（.zip）附有，日志记有证书链时",
    "what was signed, and the certificates: only hashed here; a bundle has them if the log has the chains",
)
_NOT_REVOKED = Sentence(
    "证书当时未被吊销：须与当时的吊销列表核对",
    "that no certificate was revoked by then: see the list then in force",
)


def ask(broker: Client, leaf_index: int, form: Form, trust: Trust | None) -> bytes:
    """A receipt's file, from the broker; see :func:`export`."""
    if form is Form.COSE:
        return broker.cose_receipt(leaf_index)
    return export(broker.receipt(leaf_index, acts=form is Form.BUNDLE), form, trust)


def export(receipt: Receipt, form: Form, trust: Trust | None) -> bytes:
    """The file's bytes, of any form but COSE; verified first if a key is given, as for a bundle it must be.

    Raises:
        SetUpError: a bundle is asked for and no key was given.
        VerificationFailed: the receipt does not hold.
    """
    if trust is not None:
        verify_receipt(receipt, trust)
    if form is Form.TLOG_PROOF:
        return tlog_proof.export(receipt)
    if form is Form.JSON:
        return export_receipt(receipt) + b"\n"
    if trust is None:
        raise SetUpError(
            "导出回执包须用 --trust 指明日志公钥文件，打包前先行验证。",
            "A bundle needs --trust, the log's verifier key: what is packed is verified first.",
        )
    key = _signer(receipt, trust)
    return zipped.export(Zipped(receipt, key, README, page(receipt, key)))


def read(file: Path) -> Exported:
    """The receipt in a file of any form; its first bytes tell which.

    Raises:
        SetUpError: the file cannot be read.
        VerificationFailed: it holds no well-formed receipt.
    """
    try:
        with file.open("rb") as opened:
            data = opened.read(zipped.MAX_BYTES + 1)
    except OSError:
        raise SetUpError(f"无法读取回执文件 {file}。", f"The receipt {file} cannot be read.") from None
    if data.startswith(b"PK"):
        bundle = zipped.parse(data)
        return Exported(Form.BUNDLE, bundle.receipt, bundle)
    if data.startswith(b"c2sp.org/"):
        return Exported(Form.TLOG_PROOF, tlog_proof.parse(data))
    if data.startswith(cose_receipt.MAGIC):
        return Exported(Form.COSE, cose_receipt.parse(data)[0], cose=data)
    return Exported(Form.JSON, parse_receipt(data.removesuffix(b"\n")))


def verify(exported: Exported, trust: Trust) -> Checkpoint:
    """The log head under which everything in the file holds.

    Raises:
        VerificationFailed: something does not; says what.
    """
    if exported.cose:
        return cose_receipt.verify(exported.cose, trust).checkpoint
    checkpoint = verify_receipt(exported.receipt, trust).checkpoint
    if exported.bundle is not None:
        _require_true_to_statement(exported.bundle, trust)
    return checkpoint


def signed_by(receipt: Receipt, ca: Path | None) -> str:
    """Who signed what the receipt of an acknowledgement, dispute or certificate of disposal attests, a SPIFFE
    id; "" for others.

    Args:
        ca: the authority's certificate, which must then have issued the signer's.

    Raises:
        SetUpError: the certificate cannot be read.
        VerificationFailed: signature or certificate does not hold, or the statement says something else.
    """
    content = read_json(receipt.statement, STATEMENT)
    authority = None if ca is None else _certificate(ca)
    try:
        if "acknowledgement" in content:
            return acknowledged(content, authority).credential.identity.uri
        if content["kind"] == EntryKind.DISPOSAL_CERTIFICATE:
            return disposed(content, authority).credential.identity.uri
        return ""
    except (KeyError, TypeError, ValueError):
        raise VerificationFailed("存证内容格式不符 / statement: not of the documented form") from None


def acted(exported: Exported, trust: Trust, ca: Path | None) -> tuple[str, ...]:
    """SPIFFE ids of those whose signed messages a bundle holds.

    Raises:
        SetUpError: the authority's certificate cannot be read.
        VerificationFailed: a message, or the chain of a certificate, does not hold.
    """
    if not exported.receipt.chains and not exported.receipt.acts:
        return ()
    authority = None if ca is None else _certificate(ca)
    return tuple(map(str, verify_acts(exported.receipt, trust, authority)))


def of_acts(
    exported: Exported, signers: Sequence[str], *, verified: bool
) -> tuple[tuple[Sentence, ...], tuple[Sentence, ...]]:
    """What holds of those who acted, and what is not proved; ``verified``: with the authority's key."""
    if not exported.receipt.chains:
        return (), (_ONLY_HASHED,) if _names_acts(exported.receipt) else ()
    signed = tuple(Sentence(f"{who} 签署了所附原文", f"{who} signed what is enclosed") for who in signers)
    valid = Sentence(
        "所涉证书的证书链先于此条存证，当时在有效期内",
        "the certificates' chains are in earlier leaves, and were within their dates",
    )
    unknown = Sentence("证书由主管机构签发：用 --ca 给出根证书", "that the authority issued them: give --ca")
    return (*signed, valid), (_NOT_REVOKED,) if verified else (unknown, _NOT_REVOKED)


def _names_acts(receipt: Receipt) -> bool:
    """Whether the statement names a signed message, or a certificate that acted."""
    content = read_json(receipt.statement, STATEMENT)
    try:
        return bool(acts_of(content) or approvals_of(content) or certificates_of(content, ()))
    except (AttributeError, KeyError, TypeError):  # of another form: better to say so than not
        return True


def of_witnesses(seen: Sequence[Cosignature]) -> tuple[Sentence, ...]:
    """What holds of those who cosigned the log head."""
    if not seen:
        return ()
    names = ", ".join(one.witness.name for one in seen)
    return (
        Sentence(
            f"见证人 {names} 已确认：至该日志头为止，日志只增不改",
            f"{names} cosigned the log head: until then they saw the log only grow",
        ),
    )


def of_signer(signer: str, *, verified: bool) -> tuple[tuple[Sentence, ...], tuple[Sentence, ...]]:
    """What holds of whoever signed what a receipt attests, and what is not proved; ``verified``: the signer's
    certificate was."""
    if not signer:
        return (), ()
    signed = Sentence(f"存证中的确认书由 {signer} 签署", f"{signer} signed what the receipt attests")
    issued = Sentence(
        "签署者的证书由主管机构签发，存证时有效",
        "the authority issued the signer's certificate, then in force",
    )
    unknown = Sentence(
        "签署者的证书由主管机构签发：用 --ca 给出根证书", "that the authority issued it: give --ca"
    )
    return ((signed, issued), ()) if verified else ((signed,), (unknown,))


def _certificate(file: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(file.read_bytes())
    except (OSError, ValueError):
        raise SetUpError(f"无法读取根证书 {file}。", f"The root certificate {file} cannot be read.") from None


def _require_true_to_statement(bundle: Zipped, trust: Trust) -> None:
    """What only accompanies a receipt that holds must not mislead those who read it."""
    key = _signer(bundle.receipt, trust)
    if bundle.verifier_key != key:
        raise VerificationFailed("回执包中的公钥不是所信任的公钥 / bundle: log.vkey is not the trust key")
    for name, found, expected in (
        (zipped.PAGE, bundle.page, page(bundle.receipt, key)),
        (zipped.README, bundle.readme, README),
    ):
        if found != expected:
            raise VerificationFailed(
                f"回执本身成立，但 {name} 被改动或出自本软件的其他版本，请勿采信；"
                "可取出 receipt.json 单独验证 / "
                f"bundle: the receipt itself holds, but {name} was altered or written by another version of "
                "this software: do not rely on it; take receipt.json out and verify that alone"
            )


def _signer(receipt: Receipt, trust: Trust) -> VerifierKey:
    """The key that has signed a receipt which holds."""
    keys = led(trust, receipt.successions)
    return keys.at(receipt.tree_size) or keys.newest
