from broker.v1 import exchange_pb2 as _exchange_pb2
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
