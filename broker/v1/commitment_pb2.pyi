import datetime

from broker.v1 import exchange_pb2 as _exchange_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CommitmentSigner(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COMMITMENT_SIGNER_UNSPECIFIED: _ClassVar[CommitmentSigner]
    COMMITMENT_SIGNER_SYSTEM: _ClassVar[CommitmentSigner]
    COMMITMENT_SIGNER_OFFICER: _ClassVar[CommitmentSigner]
COMMITMENT_SIGNER_UNSPECIFIED: CommitmentSigner
COMMITMENT_SIGNER_SYSTEM: CommitmentSigner
COMMITMENT_SIGNER_OFFICER: CommitmentSigner

class CommitmentTemplate(_message.Message):
    __slots__ = ("name", "version", "owner", "title", "title_en", "text", "signer", "valid_days")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    TITLE_EN_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    VALID_DAYS_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: int
    owner: str
    title: str
    title_en: str
    text: str
    signer: CommitmentSigner
    valid_days: int
    def __init__(self, name: _Optional[str] = ..., version: _Optional[int] = ..., owner: _Optional[str] = ..., title: _Optional[str] = ..., title_en: _Optional[str] = ..., text: _Optional[str] = ..., signer: _Optional[_Union[CommitmentSigner, str]] = ..., valid_days: _Optional[int] = ...) -> None: ...

class GetCommitmentTemplateRequest(_message.Message):
    __slots__ = ("name", "application")
    NAME_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    name: str
    application: _exchange_pb2.Application
    def __init__(self, name: _Optional[str] = ..., application: _Optional[_Union[_exchange_pb2.Application, _Mapping]] = ...) -> None: ...

class GetCommitmentTemplateResponse(_message.Message):
    __slots__ = ("template", "blanks", "zone")
    class BlanksEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    BLANKS_FIELD_NUMBER: _ClassVar[int]
    ZONE_FIELD_NUMBER: _ClassVar[int]
    template: CommitmentTemplate
    blanks: _containers.ScalarMap[str, str]
    zone: str
    def __init__(self, template: _Optional[_Union[CommitmentTemplate, _Mapping]] = ..., blanks: _Optional[_Mapping[str, str]] = ..., zone: _Optional[str] = ...) -> None: ...

class ListCommitmentTemplatesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListCommitmentTemplatesResponse(_message.Message):
    __slots__ = ("templates", "next_page_token")
    TEMPLATES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    templates: _containers.RepeatedCompositeFieldContainer[CommitmentTemplate]
    next_page_token: str
    def __init__(self, templates: _Optional[_Iterable[_Union[CommitmentTemplate, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class LodgedCommitment(_message.Message):
    __slots__ = ("name", "template", "version", "consumer", "provider", "dataset", "purpose", "signer", "lodge_time", "expire_time", "withdrawal_receipt")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CONSUMER_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    LODGE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWAL_RECEIPT_FIELD_NUMBER: _ClassVar[int]
    name: str
    template: str
    version: int
    consumer: str
    provider: str
    dataset: str
    purpose: str
    signer: str
    lodge_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    withdrawal_receipt: str
    def __init__(self, name: _Optional[str] = ..., template: _Optional[str] = ..., version: _Optional[int] = ..., consumer: _Optional[str] = ..., provider: _Optional[str] = ..., dataset: _Optional[str] = ..., purpose: _Optional[str] = ..., signer: _Optional[str] = ..., lodge_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., withdrawal_receipt: _Optional[str] = ...) -> None: ...

class LodgeCommitmentRequest(_message.Message):
    __slots__ = ("signed_commitment",)
    SIGNED_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    signed_commitment: bytes
    def __init__(self, signed_commitment: _Optional[bytes] = ...) -> None: ...

class LodgeCommitmentResponse(_message.Message):
    __slots__ = ("receipt",)
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    receipt: _exchange_pb2.Receipt
    def __init__(self, receipt: _Optional[_Union[_exchange_pb2.Receipt, _Mapping]] = ...) -> None: ...

class ListCommitmentsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "department")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    DEPARTMENT_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    department: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., department: _Optional[str] = ...) -> None: ...

class ListCommitmentsResponse(_message.Message):
    __slots__ = ("commitments", "next_page_token")
    COMMITMENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    commitments: _containers.RepeatedCompositeFieldContainer[LodgedCommitment]
    next_page_token: str
    def __init__(self, commitments: _Optional[_Iterable[_Union[LodgedCommitment, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetCommitmentRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetCommitmentResponse(_message.Message):
    __slots__ = ("commitment",)
    COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    commitment: LodgedCommitment
    def __init__(self, commitment: _Optional[_Union[LodgedCommitment, _Mapping]] = ...) -> None: ...

class WithdrawCommitmentRequest(_message.Message):
    __slots__ = ("name", "reason")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    name: str
    reason: str
    def __init__(self, name: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class WithdrawCommitmentResponse(_message.Message):
    __slots__ = ("receipt",)
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    receipt: str
    def __init__(self, receipt: _Optional[str] = ...) -> None: ...
