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

class SuspensionTarget(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SUSPENSION_TARGET_UNSPECIFIED: _ClassVar[SuspensionTarget]
    SUSPENSION_TARGET_CONSUMER: _ClassVar[SuspensionTarget]
    SUSPENSION_TARGET_DATASET: _ClassVar[SuspensionTarget]
    SUSPENSION_TARGET_PURPOSE: _ClassVar[SuspensionTarget]
    SUSPENSION_TARGET_EVERYTHING: _ClassVar[SuspensionTarget]
SUSPENSION_TARGET_UNSPECIFIED: SuspensionTarget
SUSPENSION_TARGET_CONSUMER: SuspensionTarget
SUSPENSION_TARGET_DATASET: SuspensionTarget
SUSPENSION_TARGET_PURPOSE: SuspensionTarget
SUSPENSION_TARGET_EVERYTHING: SuspensionTarget

class Suspension(_message.Message):
    __slots__ = ("name", "target", "subject", "provider", "suspend_time", "mend_time", "overdue", "lift_epoch", "department", "actor", "reason")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    SUSPEND_TIME_FIELD_NUMBER: _ClassVar[int]
    MEND_TIME_FIELD_NUMBER: _ClassVar[int]
    OVERDUE_FIELD_NUMBER: _ClassVar[int]
    LIFT_EPOCH_FIELD_NUMBER: _ClassVar[int]
    DEPARTMENT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    name: str
    target: SuspensionTarget
    subject: str
    provider: str
    suspend_time: _timestamp_pb2.Timestamp
    mend_time: _timestamp_pb2.Timestamp
    overdue: bool
    lift_epoch: int
    department: str
    actor: str
    reason: str
    def __init__(self, name: _Optional[str] = ..., target: _Optional[_Union[SuspensionTarget, str]] = ..., subject: _Optional[str] = ..., provider: _Optional[str] = ..., suspend_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., mend_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., overdue: _Optional[bool] = ..., lift_epoch: _Optional[int] = ..., department: _Optional[str] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class SuspendSharingRequest(_message.Message):
    __slots__ = ("target", "subject", "provider", "reason", "mend_time")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MEND_TIME_FIELD_NUMBER: _ClassVar[int]
    target: SuspensionTarget
    subject: str
    provider: str
    reason: str
    mend_time: _timestamp_pb2.Timestamp
    def __init__(self, target: _Optional[_Union[SuspensionTarget, str]] = ..., subject: _Optional[str] = ..., provider: _Optional[str] = ..., reason: _Optional[str] = ..., mend_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SuspendSharingResponse(_message.Message):
    __slots__ = ("suspension", "receipt")
    SUSPENSION_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    suspension: Suspension
    receipt: _exchange_pb2.Receipt
    def __init__(self, suspension: _Optional[_Union[Suspension, _Mapping]] = ..., receipt: _Optional[_Union[_exchange_pb2.Receipt, _Mapping]] = ...) -> None: ...

class LiftSuspensionRequest(_message.Message):
    __slots__ = ("name", "reason")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    name: str
    reason: str
    def __init__(self, name: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class LiftSuspensionResponse(_message.Message):
    __slots__ = ("suspension", "receipt")
    SUSPENSION_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    suspension: Suspension
    receipt: _exchange_pb2.Receipt
    def __init__(self, suspension: _Optional[_Union[Suspension, _Mapping]] = ..., receipt: _Optional[_Union[_exchange_pb2.Receipt, _Mapping]] = ...) -> None: ...

class ListSuspensionsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "lifted")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    LIFTED_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    lifted: bool
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., lifted: _Optional[bool] = ...) -> None: ...

class ListSuspensionsResponse(_message.Message):
    __slots__ = ("suspensions", "next_page_token")
    SUSPENSIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    suspensions: _containers.RepeatedCompositeFieldContainer[Suspension]
    next_page_token: str
    def __init__(self, suspensions: _Optional[_Iterable[_Union[Suspension, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
