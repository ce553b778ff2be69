"""The catalog over the wire: what the sample city publishes, by name and in pages."""

import grpc
import pytest

from broker.v1 import catalog_pb2, catalog_pb2_grpc

HOUSEHOLD = "datasets/public_security.household"


@pytest.fixture
def catalog(channel):
    return catalog_pb2_grpc.CatalogServiceStub(channel)


def listing(call, request, items):
    """Everything, page by page."""
    found = []
    while True:
        response = call(request)
        found += getattr(response, items)
        if not response.next_page_token:
            return found
        request.page_token = response.next_page_token


def code_of(call, request):
    with pytest.raises(grpc.RpcError) as refused:
        call(request)
    return refused.value.code()


def test_department(catalog):
    """A department is published with its names, kind, region and sharing office."""
    request = catalog_pb2.GetDepartmentRequest(name="departments/data_authority")
    department = catalog.GetDepartment(request).department
    assert department.name == request.name
    assert (department.title, department.title_en) == ("政务数据管理局", "Government Data Authority")
    assert department.kind == catalog_pb2.DEPARTMENT_KIND_AUTHORITY
    assert department.region == "990100"
    assert department.sharing_office == "数据资源科"


def test_dataset(catalog):
    """A dataset is published with what Article 13 asks, and its fields in the catalog's order."""
    request = catalog_pb2.GetDatasetRequest(name="datasets/public_security.household")
    dataset = catalog.GetDataset(request).dataset
    assert dataset.name == request.name
    assert dataset.department == "departments/public_security"
    assert dataset.catalog_code == "990100-GA-0001"
    assert dataset.sharing_attribute == catalog_pb2.SHARING_ATTRIBUTE_CONDITIONAL
    assert dataset.attribute_basis
    assert list(dataset.sharing_modes) == ["api", "batch"]
    assert dataset.use_conditions
    assert dataset.update_cycle_seconds == 7 * 24 * 3600
    assert dataset.subject_format == "resident_id"
    assert [field.field for field in dataset.fields][:3] == ["resident_id", "name", "household_no"]
    assert not dataset.fields[-1].shared


def test_catalog_says_nothing_of_where_the_rows_are(catalog, bundle):
    """Tables, columns, files and addresses of a provider's source are its own business."""
    published = str(catalog.ListDatasets(catalog_pb2.ListDatasetsRequest()))
    for dataset in bundle.catalog.datasets.values():
        for secret in dataset.source.options.values():
            assert f'"{secret}"' not in published
        assert ".db" not in published


def test_field(catalog):
    """A field is published with type, format and level."""
    request = catalog_pb2.GetFieldRequest(name="datasets/public_security.household/fields/mobile")
    field = catalog.GetField(request).field
    assert (field.name, field.field, field.title) == (request.name, "mobile", "手机号码")
    assert (field.type, field.format) == (catalog_pb2.FIELD_TYPE_TEXT, "mobile")
    assert (field.level, field.required, field.shared) == ("L3", False, True)


def test_everything_listed_can_be_got(catalog, bundle):
    """What a list gives and what a name gives are the same, for every department, dataset and field."""
    departments = listing(catalog.ListDepartments, catalog_pb2.ListDepartmentsRequest(), "departments")
    assert [d.name for d in departments] == [
        f"departments/{id_}" for id_ in sorted(bundle.catalog.departments)
    ]
    for department in departments:
        request = catalog_pb2.GetDepartmentRequest(name=department.name)
        assert catalog.GetDepartment(request).department == department
    datasets = listing(catalog.ListDatasets, catalog_pb2.ListDatasetsRequest(), "datasets")
    assert [d.name for d in datasets] == [f"datasets/{id_}" for id_ in sorted(bundle.catalog.datasets)]
    for dataset in datasets:
        assert catalog.GetDataset(catalog_pb2.GetDatasetRequest(name=dataset.name)).dataset == dataset
        fields = listing(catalog.ListFields, catalog_pb2.ListFieldsRequest(parent=dataset.name), "fields")
        assert fields == list(dataset.fields)
        for field in fields:
            assert catalog.GetField(catalog_pb2.GetFieldRequest(name=field.name)).field == field


def test_datasets_of_one_department(catalog):
    """The filter keeps one department's; a department without datasets has none."""

    def names(department):
        request = catalog_pb2.ListDatasetsRequest(department=department)
        return [dataset.name for dataset in catalog.ListDatasets(request).datasets]

    assert names("departments/tax") == ["datasets/tax.contribution", "datasets/tax.income"]
    assert names("departments/data_authority") == []


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_pages_of_any_size_make_up_the_same_list(catalog, size):
    """Page by page nothing is lost, repeated or reordered."""
    for call, request, items in (
        (catalog.ListDepartments, catalog_pb2.ListDepartmentsRequest(), "departments"),
        (catalog.ListDatasets, catalog_pb2.ListDatasetsRequest(), "datasets"),
        (
            catalog.ListFields,
            catalog_pb2.ListFieldsRequest(parent="datasets/public_security.household"),
            "fields",
        ),
    ):
        whole = list(getattr(call(request), items))
        request.page_size = size
        assert len(getattr(call(request), items)) == min(size, len(whole))
        assert listing(call, request, items) == whole


@pytest.mark.parametrize(
    "name",
    [
        "",
        "tax",
        "departments/",
        "departments/nobody",
        "departments/TAX",
        "departments/tax/",
        "datasets/tax",
        "datasets/tax.secrets",
        "datasets/public_security.household/",
        "datasets/public_security.household/fields/",
        "datasets/public_security.household/fields/no_such",
        "datasets/public_security.household/fields/name/fields/name",
        "datasets/../departments/tax",
        "departments/tax\x00",
    ],
)
def test_unknown_names_are_not_found(catalog, name):
    """A name of nothing, of another kind or in another spelling is NOT_FOUND everywhere."""
    not_found = grpc.StatusCode.NOT_FOUND
    assert code_of(catalog.GetDepartment, catalog_pb2.GetDepartmentRequest(name=name)) is not_found
    assert code_of(catalog.GetDataset, catalog_pb2.GetDatasetRequest(name=name)) is not_found
    assert code_of(catalog.GetField, catalog_pb2.GetFieldRequest(name=name)) is not_found
    assert code_of(catalog.ListFields, catalog_pb2.ListFieldsRequest(parent=name)) is not_found


def test_wrong_pages_are_malformed(catalog):
    """A negative size, a made-up token and the token of another list are INVALID_ARGUMENT."""
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    token = catalog.ListDepartments(catalog_pb2.ListDepartmentsRequest(page_size=1)).next_page_token
    for call, request in (
        (catalog.ListDepartments, catalog_pb2.ListDepartmentsRequest),
        (catalog.ListDatasets, catalog_pb2.ListDatasetsRequest),
        (catalog.ListFields, lambda **given: catalog_pb2.ListFieldsRequest(parent=HOUSEHOLD, **given)),
    ):
        assert code_of(call, request(page_size=-1)) is invalid
        for wrong in ("made-up", "=", "ä", token[:-1], token + "A", token.swapcase()):
            assert code_of(call, request(page_token=wrong)) is invalid
    assert code_of(catalog.ListDatasets, catalog_pb2.ListDatasetsRequest(page_token=token)) is invalid


def test_token_belongs_to_its_filter(catalog):
    """A token goes on with the list that gave it, not with the same list under another filter."""
    token = catalog.ListDatasets(catalog_pb2.ListDatasetsRequest(page_size=1)).next_page_token
    filtered = catalog_pb2.ListDatasetsRequest(page_token=token, department="departments/tax")
    assert code_of(catalog.ListDatasets, filtered) is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("department", ["tax", "departments/", "departments/Tax", "datasets/tax", "\x00"])
def test_malformed_filter(catalog, department):
    """A filter that no department's name can be is refused, so that a slip does not read as "none"."""
    request = catalog_pb2.ListDatasetsRequest(department=department)
    assert code_of(catalog.ListDatasets, request) is grpc.StatusCode.INVALID_ARGUMENT
