from broker.v1 import exchange_pb2 as _exchange_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DetokenizeRequest(_message.Message):
    __slots__ = ("request_id", "receipt", "field", "tokens", "reason", "legal_basis", "signed_approval")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    LEGAL_BASIS_FIELD_NUMBER: _ClassVar[int]
    SIGNED_APPROVAL_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    receipt: str
    field: str
    tokens: _containers.RepeatedScalarFieldContainer[str]
    reason: str
    legal_basis: str
    signed_approval: bytes
    def __init__(self, request_id: _Optional[str] = ..., receipt: _Optional[str] = ..., field: _Optional[str] = ..., tokens: _Optional[_Iterable[str]] = ..., reason: _Optional[str] = ..., legal_basis: _Optional[str] = ..., signed_approval: _Optional[bytes] = ...) -> None: ...

class DetokenizeResponse(_message.Message):
    __slots__ = ("verdict", "reasons", "values", "nonce", "digest", "receipt", "redelivered")
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    REDELIVERED_FIELD_NUMBER: _ClassVar[int]
    verdict: _exchange_pb2.Verdict
    reasons: _containers.RepeatedCompositeFieldContainer[_exchange_pb2.Reason]
    values: _containers.RepeatedCompositeFieldContainer[Detokenized]
    nonce: bytes
    digest: bytes
    receipt: _exchange_pb2.Receipt
    redelivered: bool
    def __init__(self, verdict: _Optional[_Union[_exchange_pb2.Verdict, str]] = ..., reasons: _Optional[_Iterable[_Union[_exchange_pb2.Reason, _Mapping]]] = ..., values: _Optional[_Iterable[_Union[Detokenized, _Mapping]]] = ..., nonce: _Optional[bytes] = ..., digest: _Optional[bytes] = ..., receipt: _Optional[_Union[_exchange_pb2.Receipt, _Mapping]] = ..., redelivered: _Optional[bool] = ...) -> None: ...

class Detokenized(_message.Message):
    __slots__ = ("known", "value")
    KNOWN_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    known: bool
    value: str
    def __init__(self, known: _Optional[bool] = ..., value: _Optional[str] = ...) -> None: ...
