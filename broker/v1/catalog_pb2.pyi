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

class DepartmentKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEPARTMENT_KIND_UNSPECIFIED: _ClassVar[DepartmentKind]
    DEPARTMENT_KIND_AUTHORITY: _ClassVar[DepartmentKind]
    DEPARTMENT_KIND_GOVERNMENT: _ClassVar[DepartmentKind]
    DEPARTMENT_KIND_PUBLIC_INSTITUTION: _ClassVar[DepartmentKind]

class SharingAttribute(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SHARING_ATTRIBUTE_UNSPECIFIED: _ClassVar[SharingAttribute]
    SHARING_ATTRIBUTE_UNCONDITIONAL: _ClassVar[SharingAttribute]
    SHARING_ATTRIBUTE_CONDITIONAL: _ClassVar[SharingAttribute]
    SHARING_ATTRIBUTE_WITHHELD: _ClassVar[SharingAttribute]

class FieldType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FIELD_TYPE_UNSPECIFIED: _ClassVar[FieldType]
    FIELD_TYPE_TEXT: _ClassVar[FieldType]
    FIELD_TYPE_INTEGER: _ClassVar[FieldType]
    FIELD_TYPE_DECIMAL: _ClassVar[FieldType]
    FIELD_TYPE_BOOLEAN: _ClassVar[FieldType]
    FIELD_TYPE_DATE: _ClassVar[FieldType]
    FIELD_TYPE_TIMESTAMP: _ClassVar[FieldType]
DEPARTMENT_KIND_UNSPECIFIED: DepartmentKind
DEPARTMENT_KIND_AUTHORITY: DepartmentKind
DEPARTMENT_KIND_GOVERNMENT: DepartmentKind
DEPARTMENT_KIND_PUBLIC_INSTITUTION: DepartmentKind
SHARING_ATTRIBUTE_UNSPECIFIED: SharingAttribute
SHARING_ATTRIBUTE_UNCONDITIONAL: SharingAttribute
SHARING_ATTRIBUTE_CONDITIONAL: SharingAttribute
SHARING_ATTRIBUTE_WITHHELD: SharingAttribute
FIELD_TYPE_UNSPECIFIED: FieldType
FIELD_TYPE_TEXT: FieldType
FIELD_TYPE_INTEGER: FieldType
FIELD_TYPE_DECIMAL: FieldType
FIELD_TYPE_BOOLEAN: FieldType
FIELD_TYPE_DATE: FieldType
FIELD_TYPE_TIMESTAMP: FieldType

class Department(_message.Message):
    __slots__ = ("name", "title", "title_en", "kind", "region", "sharing_office")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    TITLE_EN_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    SHARING_OFFICE_FIELD_NUMBER: _ClassVar[int]
    name: str
    title: str
    title_en: str
    kind: DepartmentKind
    region: str
    sharing_office: str
    def __init__(self, name: _Optional[str] = ..., title: _Optional[str] = ..., title_en: _Optional[str] = ..., kind: _Optional[_Union[DepartmentKind, str]] = ..., region: _Optional[str] = ..., sharing_office: _Optional[str] = ...) -> None: ...

class Field(_message.Message):
    __slots__ = ("name", "field", "title", "type", "format", "level", "required", "shared")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_FIELD_NUMBER: _ClassVar[int]
    SHARED_FIELD_NUMBER: _ClassVar[int]
    name: str
    field: str
    title: str
    type: FieldType
    format: str
    level: str
    required: bool
    shared: bool
    def __init__(self, name: _Optional[str] = ..., field: _Optional[str] = ..., title: _Optional[str] = ..., type: _Optional[_Union[FieldType, str]] = ..., format: _Optional[str] = ..., level: _Optional[str] = ..., required: _Optional[bool] = ..., shared: _Optional[bool] = ...) -> None: ...

class Dataset(_message.Message):
    __slots__ = ("name", "department", "title", "catalog_code", "sharing_attribute", "attribute_basis", "sharing_modes", "use_conditions", "update_cycle_seconds", "subject_format", "fields")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DEPARTMENT_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    CATALOG_CODE_FIELD_NUMBER: _ClassVar[int]
    SHARING_ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTE_BASIS_FIELD_NUMBER: _ClassVar[int]
    SHARING_MODES_FIELD_NUMBER: _ClassVar[int]
    USE_CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    UPDATE_CYCLE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FORMAT_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    name: str
    department: str
    title: str
    catalog_code: str
    sharing_attribute: SharingAttribute
    attribute_basis: str
    sharing_modes: _containers.RepeatedScalarFieldContainer[str]
    use_conditions: str
    update_cycle_seconds: int
    subject_format: str
    fields: _containers.RepeatedCompositeFieldContainer[Field]
    def __init__(self, name: _Optional[str] = ..., department: _Optional[str] = ..., title: _Optional[str] = ..., catalog_code: _Optional[str] = ..., sharing_attribute: _Optional[_Union[SharingAttribute, str]] = ..., attribute_basis: _Optional[str] = ..., sharing_modes: _Optional[_Iterable[str]] = ..., use_conditions: _Optional[str] = ..., update_cycle_seconds: _Optional[int] = ..., subject_format: _Optional[str] = ..., fields: _Optional[_Iterable[_Union[Field, _Mapping]]] = ...) -> None: ...

class GetDepartmentRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetDepartmentResponse(_message.Message):
    __slots__ = ("department",)
    DEPARTMENT_FIELD_NUMBER: _ClassVar[int]
    department: Department
    def __init__(self, department: _Optional[_Union[Department, _Mapping]] = ...) -> None: ...

class ListDepartmentsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListDepartmentsResponse(_message.Message):
    __slots__ = ("departments", "next_page_token")
    DEPARTMENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    departments: _containers.RepeatedCompositeFieldContainer[Department]
    next_page_token: str
    def __init__(self, departments: _Optional[_Iterable[_Union[Department, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetDatasetRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetDatasetResponse(_message.Message):
    __slots__ = ("dataset",)
    DATASET_FIELD_NUMBER: _ClassVar[int]
    dataset: Dataset
    def __init__(self, dataset: _Optional[_Union[Dataset, _Mapping]] = ...) -> None: ...

class ListDatasetsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "department")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    DEPARTMENT_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    department: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., department: _Optional[str] = ...) -> None: ...

class ListDatasetsResponse(_message.Message):
    __slots__ = ("datasets", "next_page_token")
    DATASETS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    datasets: _containers.RepeatedCompositeFieldContainer[Dataset]
    next_page_token: str
    def __init__(self, datasets: _Optional[_Iterable[_Union[Dataset, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetFieldRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetFieldResponse(_message.Message):
    __slots__ = ("field",)
    FIELD_FIELD_NUMBER: _ClassVar[int]
    field: Field
    def __init__(self, field: _Optional[_Union[Field, _Mapping]] = ...) -> None: ...

class ListFieldsRequest(_message.Message):
    __slots__ = ("parent", "page_size", "page_token")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    parent: str
    page_size: int
    page_token: str
    def __init__(self, parent: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListFieldsResponse(_message.Message):
    __slots__ = ("fields", "next_page_token")
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    fields: _containers.RepeatedCompositeFieldContainer[Field]
    next_page_token: str
    def __init__(self, fields: _Optional[_Iterable[_Union[Field, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class Need(_message.Message):
    __slots__ = ("dataset", "fields", "department", "purpose", "cause", "applications", "first_time", "last_time", "first_receipt", "last_receipt")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    DEPARTMENT_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    APPLICATIONS_FIELD_NUMBER: _ClassVar[int]
    FIRST_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_TIME_FIELD_NUMBER: _ClassVar[int]
    FIRST_RECEIPT_FIELD_NUMBER: _ClassVar[int]
    LAST_RECEIPT_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    fields: _containers.RepeatedScalarFieldContainer[str]
    department: str
    purpose: str
    cause: _exchange_pb2.Reason
    applications: int
    first_time: _timestamp_pb2.Timestamp
    last_time: _timestamp_pb2.Timestamp
    first_receipt: str
    last_receipt: str
    def __init__(self, dataset: _Optional[str] = ..., fields: _Optional[_Iterable[str]] = ..., department: _Optional[str] = ..., purpose: _Optional[str] = ..., cause: _Optional[_Union[_exchange_pb2.Reason, _Mapping]] = ..., applications: _Optional[int] = ..., first_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., first_receipt: _Optional[str] = ..., last_receipt: _Optional[str] = ...) -> None: ...

class ListNeedsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "department")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    DEPARTMENT_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    department: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., department: _Optional[str] = ...) -> None: ...

class ListNeedsResponse(_message.Message):
    __slots__ = ("needs", "next_page_token")
    NEEDS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    needs: _containers.RepeatedCompositeFieldContainer[Need]
    next_page_token: str
    def __init__(self, needs: _Optional[_Iterable[_Union[Need, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
