"""Writes the generated pages of the docs; ``make docs`` runs it, and a test fails when a page is stale."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic.fields import FieldInfo

from adapters.masking.registry import load_operators
from broker.applications import states
from broker.authoring.operators import Parameter, parameters, property_words
from broker.reasons import SENTENCES, Reason
from broker.settings import Masking, Section, Settings

DOCS = Path(__file__).parent

GIVEN_AS: dict[str, tuple[Reason, ...]] = {
    "UNAUTHENTICATED": (
        Reason.CERTIFICATE_MISSING,
        Reason.CERTIFICATE_INVALID,
        Reason.CERTIFICATE_EXPIRED,
        Reason.CERTIFICATE_REVOKED,
    ),
    "PERMISSION_DENIED": (
        Reason.DEPARTMENT_UNKNOWN,
        Reason.ROLE_NOT_ALLOWED,
        Reason.SAME_PERSON,
        Reason.NOT_RESPONSIBLE,
        Reason.CORRECTION_NOT_YOURS,
        Reason.NOT_A_REVIEWER,
        Reason.DISPOSAL_NOT_YOURS,
        Reason.NOT_YOURS_TO_SUSPEND,
        Reason.NOT_YOURS_TO_LIFT,
    ),
    "INVALID_ARGUMENT": (
        Reason.REQUEST_MALFORMED,
        Reason.SIGNED_APPLICATION_INVALID,
        Reason.COMMITMENT_INVALID,
        Reason.BUNDLE_MALFORMED,
        Reason.SIGNATURE_INVALID,
        Reason.APPROVAL_INVALID,
        Reason.ACKNOWLEDGEMENT_INVALID,
        Reason.APPLICATION_SIGNATURE_INVALID,
        Reason.DISPOSAL_INVALID,
    ),
    "NOT_FOUND": (Reason.RESOURCE_NOT_FOUND,),
    "ALREADY_EXISTS": (Reason.REQUEST_ID_REUSED, Reason.PROPOSAL_EXISTS),
    "ABORTED": (
        Reason.DATA_CHANGED,
        Reason.NO_LONGER_PERMITTED,
        Reason.CHANGED_WHILE_READ,
        Reason.LEASE_EXPIRED,
        Reason.TAKEN_OVER,
        Reason.PROPOSAL_STALE,
        Reason.APPLICATION_MOVED,
        Reason.CORRECTION_ANSWERED,
    ),
    "FAILED_PRECONDITION": (
        Reason.ANSWER_TOO_LARGE,
        Reason.SERVED_ELSEWHERE,
        Reason.NOT_APPROVED,
        Reason.APPROVAL_MISSING,
        Reason.NOT_REVERSIBLE,
        Reason.NOTHING_DELIVERED,
        Reason.DELIVERY_DISPUTED,
        Reason.ACT_NOT_POSSIBLE,
        Reason.NOTHING_TO_DISPOSE,
        Reason.CONSUMER_NOT_SUSPENDED,
        Reason.NOTHING_TO_CORRECT,
    ),
    "RESOURCE_EXHAUSTED, retry after the time it says": (Reason.OVERLOADED, Reason.SHARE_USED_UP),
    "RESOURCE_EXHAUSTED, until others act": (Reason.TOO_MANY_CORRECTIONS,),
    "CANCELLED or UNAVAILABLE, the reason in log and receipt only": (Reason.CALLER_STALLED,),
    "DEADLINE_EXCEEDED": (Reason.DEADLINE_PASSED,),
    "UNAVAILABLE, retry is safe": (
        Reason.REVOCATIONS_UNREADABLE,
        Reason.POLICY_UNUSABLE,
        Reason.SOURCE_UNAVAILABLE,
        Reason.LOG_UNAVAILABLE,
        Reason.CLOCK_BEHIND_LOG,
        Reason.NOT_WITNESSED,
        Reason.VAULT_UNAVAILABLE,
        Reason.SHUTTING_DOWN,
        Reason.BROKER_UNREACHABLE,
    ),
    "INTERNAL": (Reason.MASKING_FAILED, Reason.INTERNAL),
    "decision NEEDS_SUPPLEMENT": (
        Reason.CASE_NO_MISSING,
        Reason.SERVICE_ITEM_MISSING,
        Reason.OPERATOR_MISSING,
        Reason.LEGAL_BASIS_MISSING,
        Reason.SIGNED_APPLICATION_MISSING,
        Reason.COMMITMENT_MISSING,
        Reason.CLAIM_MISSING,
    ),
    "application NEEDS_SUPPLEMENT (with `LEGAL_BASIS_MISSING` and `OPERATOR_MISSING`)": (
        Reason.NO_LONGER_IN_CATALOG,
        Reason.SCENARIO_MISSING,
        Reason.SHARING_MODE_MISSING,
        Reason.SHARING_MODE_NOT_OFFERED,
        Reason.ROWS_MISSING,
        Reason.PERIOD_MISSING,
        Reason.PERIOD_OVER,
    ),
    "decision REVIEW": (Reason.REVIEW_REQUIRED, Reason.IMPORTANT_LEVEL, Reason.COUNTERSIGNATURE_REQUIRED),
    "decision DENY": (
        Reason.NEED_RECORDED,
        Reason.DATASET_UNKNOWN,
        Reason.SUSPENDED,
        Reason.NOTHING_PERMITS,
        Reason.DENIED_BY_RULE,
        Reason.DATASET_WITHHELD,
        Reason.PURPOSE_NOT_PERMITTED,
        Reason.LEGAL_BASIS_NOT_PERMITTED,
        Reason.FIELD_NOT_PERMITTED,
        Reason.OUTSIDE_VALIDITY,
        Reason.SERVICE_ITEM_MISMATCH,
        Reason.TOO_MANY_SUBJECTS,
        Reason.WHOLE_DATASET_NOT_PERMITTED,
        Reason.TOO_MANY_ROWS,
        Reason.GROUP_TOO_SMALL,
        Reason.CLASS_TOO_SMALL,
        Reason.TOO_MANY_CLASSES,
        Reason.FIELD_NOT_AGGREGATED,
        Reason.GROUPING_INCOMPLETE,
        Reason.SUBJECTS_NOT_AGGREGATED,
        Reason.QUOTA_EXCEEDED,
        Reason.CLAIM_NOT_TAKEN,
        Reason.MATCHES_USED_UP,
        Reason.GRANT_UNKNOWN,
        Reason.FIELD_NOT_SHARED,
        Reason.CORE_LEVEL,
        Reason.OUTSIDE_HOURS,
        Reason.SYSTEM_NOT_PERMITTED,
        Reason.CONDITION_NOT_MET,
        Reason.NOT_DELEGATED,
        Reason.RULE_ERROR,
    ),
}

REASONS_HEAD = """\
# Reasons

Every reason the broker gives, as it stands in `google.rpc.ErrorInfo.reason` (domain `sharebroker`) or in a decision. A code
never changes its meaning. Errors are for programs to handle; decisions are answers, with a receipt. `{about}` is the name of
a field, a rule or a quota, never a value. This page is generated by `make docs`.
"""

SETTINGS_HEAD = """\
# Settings

One TOML file, given to `sharebroker serve --config`. The environment overrides it: `SHAREBROKER_STORE__URL` is `[store] url`.
Relative paths start at the folder of the file. An unknown setting is an error. This page is generated by `make docs`.
"""

OPERATORS_MARK = "<!-- generated by `make docs` from the operators themselves -->"
OPERATORS_END = "<!-- end -->"

STATES_MARK = "<!-- generated by `make docs` from broker/applications/states.py -->"
STATES_END = "<!-- end of states -->"


def reasons_page() -> str:
    """docs/error-reasons.md."""
    parts = [REASONS_HEAD]
    for given_as, reasons in GIVEN_AS.items():
        parts.append(f"## {given_as}\n\n| Reason | 中文 | English |\n|---|---|---|")
        parts += [f"| `{reason}` | {SENTENCES[reason].zh} | {SENTENCES[reason].en} |" for reason in reasons]
        parts[-1] += "\n"
    return "\n".join(parts)


def settings_page() -> str:
    """docs/settings.md."""
    parts = [SETTINGS_HEAD]
    for name, section in Settings.model_fields.items():
        kind = section.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            parts.append(f"## [{name}]\n\n{kind.__doc__}\n\n| Setting | Default | Meaning |\n|---|---|---|")
            parts += list(_rows(kind.model_fields))
            parts[-1] += "\n"
    return "\n".join(parts)


def _rows(fields: dict[str, FieldInfo]) -> Iterator[str]:
    for name, field in fields.items():
        default = field.default
        shown = (
            list(default)
            if isinstance(default, tuple)
            else str(default)
            if isinstance(default, Path)
            else default
        )
        yield f"| `{name}` | {'none' if shown is None else f'`{shown}`'} | {field.description} |"


def masking_page() -> str:
    """docs/masking.md, its table of operators written anew."""
    before, mark, rest = (DOCS / "masking.md").read_text("utf-8").partition(OPERATORS_MARK)
    _, end, after = rest.partition(OPERATORS_END)
    return f"{before}{mark}\n{operators_table()}{end}{after}"


def operators_table() -> str:
    """The operators that come with the broker, as they describe themselves."""
    rows = [
        "| 算子 operator | 类型 takes | 性质 properties | 空 null | 短 short | 不符 invalid | 参数 parameters |"
    ]
    rows.append("|---|---|---|---|---|---|---|")
    for one in sorted(load_operators(Masking().allowed).values(), key=lambda one: one.name):
        words = "、".join(said.zh for said in property_words(one.properties)) or "—"
        odd = (one.properties.null, one.properties.short, one.properties.invalid)
        params = "；".join(_parameter(each) for each in parameters(one)) or "—"
        cells = (f"`{one.name}` {one.title}. {one.summary}", "、".join(one.accepts), words, *odd, params)
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _parameter(one: Parameter) -> str:
    kind = one.kind.replace(" | ", " ∣ ")
    default = "无" if one.default in (None, "", [], {}) else one.default
    must = "必填" if one.required else f"默认 {default}"
    return f"`{one.name}` {kind}{' ' + one.bounds if one.bounds else ''}（{must}）"


def applications_page() -> str:
    """docs/applications.md, its state machine drawn anew."""
    before, mark, rest = (DOCS / "applications.md").read_text("utf-8").partition(STATES_MARK)
    _, end, after = rest.partition(STATES_END)
    drawn = f"```mermaid\n{states.diagram()}\n```\n\n{states.table()}\n"
    return f"{before}{mark}\n{drawn}{end}{after}"


PAGES = {
    "error-reasons.md": reasons_page,
    "settings.md": settings_page,
    "masking.md": masking_page,
    "applications.md": applications_page,
}

if __name__ == "__main__":
    for file, page in PAGES.items():
        (DOCS / file).write_text(page(), "utf-8")
        print(f"docs/{file}")
