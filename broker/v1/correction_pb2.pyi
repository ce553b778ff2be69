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

class DataError(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DATA_ERROR_UNSPECIFIED: _ClassVar[DataError]
    DATA_ERROR_WRONG_VALUE: _ClassVar[DataError]
    DATA_ERROR_OUT_OF_DATE: _ClassVar[DataError]
    DATA_ERROR_MISSING_RECORD: _ClassVar[DataError]
    DATA_ERROR_MISSING_VALUE: _ClassVar[DataError]
    DATA_ERROR_WRONG_PERSON: _ClassVar[DataError]
    DATA_ERROR_WRONG_FORMAT: _ClassVar[DataError]

class CorrectionState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CORRECTION_STATE_UNSPECIFIED: _ClassVar[CorrectionState]
    CORRECTION_STATE_OPEN: _ClassVar[CorrectionState]
    CORRECTION_STATE_OVERDUE: _ClassVar[CorrectionState]
    CORRECTION_STATE_CORRECTED: _ClassVar[CorrectionState]
    CORRECTION_STATE_CONFIRMED: _ClassVar[CorrectionState]
    CORRECTION_STATE_REFERRED: _ClassVar[CorrectionState]
DATA_ERROR_UNSPECIFIED: DataError
DATA_ERROR_WRONG_VALUE: DataError
DATA_ERROR_OUT_OF_DATE: DataError
DATA_ERROR_MISSING_RECORD: DataError
DATA_ERROR_MISSING_VALUE: DataError
DATA_ERROR_WRONG_PERSON: DataError
DATA_ERROR_WRONG_FORMAT: DataError
CORRECTION_STATE_UNSPECIFIED: CorrectionState
CORRECTION_STATE_OPEN: CorrectionState
CORRECTION_STATE_OVERDUE: CorrectionState
CORRECTION_STATE_CORRECTED: CorrectionState
CORRECTION_STATE_CONFIRMED: CorrectionState
CORRECTION_STATE_REFERRED: CorrectionState

class ReportCorrectionRequest(_message.Message):
    __slots__ = ("receipt", "error", "fields", "subject", "claimed_values", "grounds", "evidence_digest", "operator", "for_citizen")
    class ClaimedValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    CLAIMED_VALUES_FIELD_NUMBER: _ClassVar[int]
    GROUNDS_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    FOR_CITIZEN_FIELD_NUMBER: _ClassVar[int]
    receipt: str
    error: DataError
    fields: _containers.RepeatedScalarFieldContainer[str]
    subject: str
    claimed_values: _containers.ScalarMap[str, str]
    grounds: str
    evidence_digest: bytes
    operator: str
    for_citizen: bool
    def __init__(self, receipt: _Optional[str] = ..., error: _Optional[_Union[DataError, str]] = ..., fields: _Optional[_Iterable[str]] = ..., subject: _Optional[str] = ..., claimed_values: _Optional[_Mapping[str, str]] = ..., grounds: _Optional[str] = ..., evidence_digest: _Optional[bytes] = ..., operator: _Optional[str] = ..., for_citizen: _Optional[bool] = ...) -> None: ...

class ReportCorrectionResponse(_message.Message):
    __slots__ = ("receipt", "correction", "due_time", "repeated")
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    CORRECTION_FIELD_NUMBER: _ClassVar[int]
    DUE_TIME_FIELD_NUMBER: _ClassVar[int]
    REPEATED_FIELD_NUMBER: _ClassVar[int]
    receipt: _exchange_pb2.Receipt
    correction: str
    due_time: _timestamp_pb2.Timestamp
    repeated: bool
    def __init__(self, receipt: _Optional[_Union[_exchange_pb2.Receipt, _Mapping]] = ..., correction: _Optional[str] = ..., due_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., repeated: _Optional[bool] = ...) -> None: ...

class GetCorrectionRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetCorrectionResponse(_message.Message):
    __slots__ = ("correction", "content")
    CORRECTION_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    correction: Correction
    content: CorrectionContent
    def __init__(self, correction: _Optional[_Union[Correction, _Mapping]] = ..., content: _Optional[_Union[CorrectionContent, _Mapping]] = ...) -> None: ...

class ListCorrectionsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "dataset", "consumer", "provider", "open", "overdue")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    CONSUMER_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    OVERDUE_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    dataset: str
    consumer: str
    provider: str
    open: bool
    overdue: bool
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., dataset: _Optional[str] = ..., consumer: _Optional[str] = ..., provider: _Optional[str] = ..., open: _Optional[bool] = ..., overdue: _Optional[bool] = ...) -> None: ...

class ListCorrectionsResponse(_message.Message):
    __slots__ = ("corrections", "next_page_token")
    CORRECTIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    corrections: _containers.RepeatedCompositeFieldContainer[Correction]
    next_page_token: str
    def __init__(self, corrections: _Optional[_Iterable[_Union[Correction, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class AnswerCorrectionRequest(_message.Message):
    __slots__ = ("name", "signed_answer")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SIGNED_ANSWER_FIELD_NUMBER: _ClassVar[int]
    name: str
    signed_answer: bytes
    def __init__(self, name: _Optional[str] = ..., signed_answer: _Optional[bytes] = ...) -> None: ...

class AnswerCorrectionResponse(_message.Message):
    __slots__ = ("receipt", "repeated")
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    REPEATED_FIELD_NUMBER: _ClassVar[int]
    receipt: _exchange_pb2.Receipt
    repeated: bool
    def __init__(self, receipt: _Optional[_Union[_exchange_pb2.Receipt, _Mapping]] = ..., repeated: _Optional[bool] = ...) -> None: ...

class ListCorrectionNoticesRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "dataset")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    dataset: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., dataset: _Optional[str] = ...) -> None: ...

class ListCorrectionNoticesResponse(_message.Message):
    __slots__ = ("notices", "next_page_token")
    NOTICES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    notices: _containers.RepeatedCompositeFieldContainer[CorrectionNotice]
    next_page_token: str
    def __init__(self, notices: _Optional[_Iterable[_Union[CorrectionNotice, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetDataQualityRequest(_message.Message):
    __slots__ = ("dataset", "since", "until")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    since: _timestamp_pb2.Timestamp
    until: _timestamp_pb2.Timestamp
    def __init__(self, dataset: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetDataQualityResponse(_message.Message):
    __slots__ = ("quality",)
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    quality: DataQuality
    def __init__(self, quality: _Optional[_Union[DataQuality, _Mapping]] = ...) -> None: ...

class Correction(_message.Message):
    __slots__ = ("name", "state", "receipt", "consumer", "caller", "provider", "dataset", "purpose", "error", "fields", "report_time", "due_time", "answer_time", "answer_receipt", "overdue_receipt", "told")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    CONSUMER_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    REPORT_TIME_FIELD_NUMBER: _ClassVar[int]
    DUE_TIME_FIELD_NUMBER: _ClassVar[int]
    ANSWER_TIME_FIELD_NUMBER: _ClassVar[int]
    ANSWER_RECEIPT_FIELD_NUMBER: _ClassVar[int]
    OVERDUE_RECEIPT_FIELD_NUMBER: _ClassVar[int]
    TOLD_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: CorrectionState
    receipt: str
    consumer: str
    caller: str
    provider: str
    dataset: str
    purpose: str
    error: DataError
    fields: _containers.RepeatedScalarFieldContainer[str]
    report_time: _timestamp_pb2.Timestamp
    due_time: _timestamp_pb2.Timestamp
    answer_time: _timestamp_pb2.Timestamp
    answer_receipt: str
    overdue_receipt: str
    told: bool
    def __init__(self, name: _Optional[str] = ..., state: _Optional[_Union[CorrectionState, str]] = ..., receipt: _Optional[str] = ..., consumer: _Optional[str] = ..., caller: _Optional[str] = ..., provider: _Optional[str] = ..., dataset: _Optional[str] = ..., purpose: _Optional[str] = ..., error: _Optional[_Union[DataError, str]] = ..., fields: _Optional[_Iterable[str]] = ..., report_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., due_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., answer_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., answer_receipt: _Optional[str] = ..., overdue_receipt: _Optional[str] = ..., told: _Optional[bool] = ...) -> None: ...

class CorrectionContent(_message.Message):
    __slots__ = ("subject", "claimed_values", "grounds")
    class ClaimedValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    CLAIMED_VALUES_FIELD_NUMBER: _ClassVar[int]
    GROUNDS_FIELD_NUMBER: _ClassVar[int]
    subject: str
    claimed_values: _containers.ScalarMap[str, str]
    grounds: str
    def __init__(self, subject: _Optional[str] = ..., claimed_values: _Optional[_Mapping[str, str]] = ..., grounds: _Optional[str] = ...) -> None: ...

class CorrectionNotice(_message.Message):
    __slots__ = ("receipt", "notice_time", "consumer", "caller", "provider", "dataset", "purpose", "error", "fields", "receipts", "streams", "right_time", "wrong_time", "answer_receipt")
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    NOTICE_TIME_FIELD_NUMBER: _ClassVar[int]
    CONSUMER_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    RECEIPTS_FIELD_NUMBER: _ClassVar[int]
    STREAMS_FIELD_NUMBER: _ClassVar[int]
    RIGHT_TIME_FIELD_NUMBER: _ClassVar[int]
    WRONG_TIME_FIELD_NUMBER: _ClassVar[int]
    ANSWER_RECEIPT_FIELD_NUMBER: _ClassVar[int]
    receipt: str
    notice_time: _timestamp_pb2.Timestamp
    consumer: str
    caller: str
    provider: str
    dataset: str
    purpose: str
    error: DataError
    fields: _containers.RepeatedScalarFieldContainer[str]
    receipts: _containers.RepeatedScalarFieldContainer[str]
    streams: _containers.RepeatedScalarFieldContainer[str]
    right_time: _timestamp_pb2.Timestamp
    wrong_time: _timestamp_pb2.Timestamp
    answer_receipt: str
    def __init__(self, receipt: _Optional[str] = ..., notice_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., consumer: _Optional[str] = ..., caller: _Optional[str] = ..., provider: _Optional[str] = ..., dataset: _Optional[str] = ..., purpose: _Optional[str] = ..., error: _Optional[_Union[DataError, str]] = ..., fields: _Optional[_Iterable[str]] = ..., receipts: _Optional[_Iterable[str]] = ..., streams: _Optional[_Iterable[str]] = ..., right_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., wrong_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., answer_receipt: _Optional[str] = ...) -> None: ...

class DataQuality(_message.Message):
    __slots__ = ("dataset", "since", "until", "answers", "found", "none", "doubtful", "stale", "rows_read", "rows_bad", "erased", "corrections", "corrected", "confirmed", "referred", "waiting", "overdue", "median_days")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    FOUND_FIELD_NUMBER: _ClassVar[int]
    NONE_FIELD_NUMBER: _ClassVar[int]
    DOUBTFUL_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    ROWS_READ_FIELD_NUMBER: _ClassVar[int]
    ROWS_BAD_FIELD_NUMBER: _ClassVar[int]
    ERASED_FIELD_NUMBER: _ClassVar[int]
    CORRECTIONS_FIELD_NUMBER: _ClassVar[int]
    CORRECTED_FIELD_NUMBER: _ClassVar[int]
    CONFIRMED_FIELD_NUMBER: _ClassVar[int]
    REFERRED_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    OVERDUE_FIELD_NUMBER: _ClassVar[int]
    MEDIAN_DAYS_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    since: _timestamp_pb2.Timestamp
    until: _timestamp_pb2.Timestamp
    answers: int
    found: int
    none: int
    doubtful: int
    stale: int
    rows_read: int
    rows_bad: int
    erased: int
    corrections: int
    corrected: int
    confirmed: int
    referred: int
    waiting: int
    overdue: int
    median_days: float
    def __init__(self, dataset: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., answers: _Optional[int] = ..., found: _Optional[int] = ..., none: _Optional[int] = ..., doubtful: _Optional[int] = ..., stale: _Optional[int] = ..., rows_read: _Optional[int] = ..., rows_bad: _Optional[int] = ..., erased: _Optional[int] = ..., corrections: _Optional[int] = ..., corrected: _Optional[int] = ..., confirmed: _Optional[int] = ..., referred: _Optional[int] = ..., waiting: _Optional[int] = ..., overdue: _Optional[int] = ..., median_days: _Optional[float] = ...) -> None: ...
