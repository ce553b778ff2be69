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

class DisposalMethod(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DISPOSAL_METHOD_UNSPECIFIED: _ClassVar[DisposalMethod]
    DISPOSAL_METHOD_CLEAR: _ClassVar[DisposalMethod]
    DISPOSAL_METHOD_PURGE: _ClassVar[DisposalMethod]
    DISPOSAL_METHOD_DESTROY: _ClassVar[DisposalMethod]

class DisposalCause(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DISPOSAL_CAUSE_UNSPECIFIED: _ClassVar[DisposalCause]
    DISPOSAL_CAUSE_RETENTION: _ClassVar[DisposalCause]
    DISPOSAL_CAUSE_PURPOSE_ENDED: _ClassVar[DisposalCause]
    DISPOSAL_CAUSE_MISUSE: _ClassVar[DisposalCause]
    DISPOSAL_CAUSE_ORDERED: _ClassVar[DisposalCause]

class DisposalState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DISPOSAL_STATE_UNSPECIFIED: _ClassVar[DisposalState]
    DISPOSAL_STATE_OPEN: _ClassVar[DisposalState]
    DISPOSAL_STATE_OVERDUE: _ClassVar[DisposalState]
    DISPOSAL_STATE_CERTIFIED: _ClassVar[DisposalState]
    DISPOSAL_STATE_PARTIAL: _ClassVar[DisposalState]
DISPOSAL_METHOD_UNSPECIFIED: DisposalMethod
DISPOSAL_METHOD_CLEAR: DisposalMethod
DISPOSAL_METHOD_PURGE: DisposalMethod
DISPOSAL_METHOD_DESTROY: DisposalMethod
DISPOSAL_CAUSE_UNSPECIFIED: DisposalCause
DISPOSAL_CAUSE_RETENTION: DisposalCause
DISPOSAL_CAUSE_PURPOSE_ENDED: DisposalCause
DISPOSAL_CAUSE_MISUSE: DisposalCause
DISPOSAL_CAUSE_ORDERED: DisposalCause
DISPOSAL_STATE_UNSPECIFIED: DisposalState
DISPOSAL_STATE_OPEN: DisposalState
DISPOSAL_STATE_OVERDUE: DisposalState
DISPOSAL_STATE_CERTIFIED: DisposalState
DISPOSAL_STATE_PARTIAL: DisposalState

class ListHoldingsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "consumer", "dataset")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CONSUMER_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    consumer: str
    dataset: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., consumer: _Optional[str] = ..., dataset: _Optional[str] = ...) -> None: ...

class ListHoldingsResponse(_message.Message):
    __slots__ = ("holdings", "next_page_token")
    HOLDINGS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    holdings: _containers.RepeatedCompositeFieldContainer[Holding]
    next_page_token: str
    def __init__(self, holdings: _Optional[_Iterable[_Union[Holding, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListDisposalsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "consumer", "dataset", "open", "overdue")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CONSUMER_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    OVERDUE_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    consumer: str
    dataset: str
    open: bool
    overdue: bool
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., consumer: _Optional[str] = ..., dataset: _Optional[str] = ..., open: _Optional[bool] = ..., overdue: _Optional[bool] = ...) -> None: ...

class ListDisposalsResponse(_message.Message):
    __slots__ = ("disposals", "next_page_token")
    DISPOSALS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    disposals: _containers.RepeatedCompositeFieldContainer[Disposal]
    next_page_token: str
    def __init__(self, disposals: _Optional[_Iterable[_Union[Disposal, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetDisposalRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetDisposalResponse(_message.Message):
    __slots__ = ("disposal", "receipt")
    DISPOSAL_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    disposal: Disposal
    receipt: _exchange_pb2.Receipt
    def __init__(self, disposal: _Optional[_Union[Disposal, _Mapping]] = ..., receipt: _Optional[_Union[_exchange_pb2.Receipt, _Mapping]] = ...) -> None: ...

class OrderDisposalRequest(_message.Message):
    __slots__ = ("consumer", "dataset", "purpose", "grant", "cause", "reason", "method", "within_working_days")
    CONSUMER_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    GRANT_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    WITHIN_WORKING_DAYS_FIELD_NUMBER: _ClassVar[int]
    consumer: str
    dataset: str
    purpose: str
    grant: str
    cause: DisposalCause
    reason: str
    method: DisposalMethod
    within_working_days: int
    def __init__(self, consumer: _Optional[str] = ..., dataset: _Optional[str] = ..., purpose: _Optional[str] = ..., grant: _Optional[str] = ..., cause: _Optional[_Union[DisposalCause, str]] = ..., reason: _Optional[str] = ..., method: _Optional[_Union[DisposalMethod, str]] = ..., within_working_days: _Optional[int] = ...) -> None: ...

class OrderDisposalResponse(_message.Message):
    __slots__ = ("disposals",)
    DISPOSALS_FIELD_NUMBER: _ClassVar[int]
    disposals: _containers.RepeatedCompositeFieldContainer[Disposal]
    def __init__(self, disposals: _Optional[_Iterable[_Union[Disposal, _Mapping]]] = ...) -> None: ...

class CertifyDisposalRequest(_message.Message):
    __slots__ = ("name", "signed_certificate")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SIGNED_CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    name: str
    signed_certificate: bytes
    def __init__(self, name: _Optional[str] = ..., signed_certificate: _Optional[bytes] = ...) -> None: ...

class CertifyDisposalResponse(_message.Message):
    __slots__ = ("receipt", "repeated")
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    REPEATED_FIELD_NUMBER: _ClassVar[int]
    receipt: _exchange_pb2.Receipt
    repeated: bool
    def __init__(self, receipt: _Optional[_Union[_exchange_pb2.Receipt, _Mapping]] = ..., repeated: _Optional[bool] = ...) -> None: ...

class Disposal(_message.Message):
    __slots__ = ("name", "receipt", "consumer", "provider", "dataset", "purpose", "grant", "cause", "method", "deliveries", "order_time", "due_time", "state", "certificate_receipt", "kept", "missing_receipt", "sets")
    NAME_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    CONSUMER_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    GRANT_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    ORDER_TIME_FIELD_NUMBER: _ClassVar[int]
    DUE_TIME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_RECEIPT_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    MISSING_RECEIPT_FIELD_NUMBER: _ClassVar[int]
    SETS_FIELD_NUMBER: _ClassVar[int]
    name: str
    receipt: str
    consumer: str
    provider: str
    dataset: str
    purpose: str
    grant: str
    cause: DisposalCause
    method: DisposalMethod
    deliveries: int
    order_time: _timestamp_pb2.Timestamp
    due_time: _timestamp_pb2.Timestamp
    state: DisposalState
    certificate_receipt: str
    kept: int
    missing_receipt: str
    sets: _containers.RepeatedCompositeFieldContainer[DeliverySet]
    def __init__(self, name: _Optional[str] = ..., receipt: _Optional[str] = ..., consumer: _Optional[str] = ..., provider: _Optional[str] = ..., dataset: _Optional[str] = ..., purpose: _Optional[str] = ..., grant: _Optional[str] = ..., cause: _Optional[_Union[DisposalCause, str]] = ..., method: _Optional[_Union[DisposalMethod, str]] = ..., deliveries: _Optional[int] = ..., order_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., due_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., state: _Optional[_Union[DisposalState, str]] = ..., certificate_receipt: _Optional[str] = ..., kept: _Optional[int] = ..., missing_receipt: _Optional[str] = ..., sets: _Optional[_Iterable[_Union[DeliverySet, _Mapping]]] = ...) -> None: ...

class DeliverySet(_message.Message):
    __slots__ = ("dispose_time", "first_receipt", "last_receipt", "first_time", "last_time", "deliveries", "digest")
    DISPOSE_TIME_FIELD_NUMBER: _ClassVar[int]
    FIRST_RECEIPT_FIELD_NUMBER: _ClassVar[int]
    LAST_RECEIPT_FIELD_NUMBER: _ClassVar[int]
    FIRST_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_TIME_FIELD_NUMBER: _ClassVar[int]
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    dispose_time: _timestamp_pb2.Timestamp
    first_receipt: str
    last_receipt: str
    first_time: _timestamp_pb2.Timestamp
    last_time: _timestamp_pb2.Timestamp
    deliveries: int
    digest: bytes
    def __init__(self, dispose_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., first_receipt: _Optional[str] = ..., last_receipt: _Optional[str] = ..., first_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., deliveries: _Optional[int] = ..., digest: _Optional[bytes] = ...) -> None: ...

class Holding(_message.Message):
    __slots__ = ("consumer", "provider", "dataset", "purpose", "grant", "dispose_time", "deliveries", "last_receipt")
    CONSUMER_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    GRANT_FIELD_NUMBER: _ClassVar[int]
    DISPOSE_TIME_FIELD_NUMBER: _ClassVar[int]
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    LAST_RECEIPT_FIELD_NUMBER: _ClassVar[int]
    consumer: str
    provider: str
    dataset: str
    purpose: str
    grant: str
    dispose_time: _timestamp_pb2.Timestamp
    deliveries: int
    last_receipt: str
    def __init__(self, consumer: _Optional[str] = ..., provider: _Optional[str] = ..., dataset: _Optional[str] = ..., purpose: _Optional[str] = ..., grant: _Optional[str] = ..., dispose_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., deliveries: _Optional[int] = ..., last_receipt: _Optional[str] = ...) -> None: ...
