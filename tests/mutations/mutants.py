"""Guards taken away, one at a time, and the test that then must fail. Told in ``docs/masking-traps.md``."""

from __future__ import annotations

from dataclasses import dataclass

MASKING = "adapters/masking/"
TESTS = "tests/adapters/masking/"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of the program."""

    name: str
    file: str
    before: str
    """Text that stands in ``file`` exactly once."""
    after: str
    test: str
    """A pytest node id."""


def _masking(name: str, module: str, before: str, after: str, test: str) -> Mutant:
    """A change of an operator's module, and a test of the operators."""
    return Mutant(name, f"{MASKING}{module}.py", before, after, f"{TESTS}test_{test}")


def _conforms(name: str, module: str, before: str, after: str, operator: str) -> Mutant:
    """A change that the conformance suite finds."""
    return _masking(name, module, before, after, f"conformance.py::test_every_operator_conforms[{operator}]")


def _broker(name: str, file: str, before: str, after: str, test: str) -> Mutant:
    return Mutant(name, f"broker/{file}.py", before, after, f"tests/{test}")


PARTIAL, PLAN = "partial.py::test_examples", "desensitize/test_plan.py::"

SHORT = (
    _masking("a value as short as what is kept, alone", "partial", "if hidden <= 0:", "if hidden < 0:", PARTIAL),
    _masking("the same in a column of one width", "partial", "if width > start + end:", "if width >= start + end:", PARTIAL),
    _masking("the same in a column of several widths", "partial", "pc.less_equal(hidden,", "pc.less(hidden,", "partial.py::test_widths_of_all_kinds"),
    _masking("stars appended, alone", "partial", "return fill * len(text)", "return fill * (start + end)", PARTIAL),
    _masking("stars appended, in a column", "partial", "pc.if_else(short, lengths, hidden)", "pc.if_else(short, start + end, hidden)", "partial.py::test_widths_of_all_kinds"),
    _masking("the last 0 characters are all of them", "partial", "if end:  #", "if True:  #", "partial.py::test_widths_of_all_kinds"),
    _masking("a text of several bytes a character in the path of ASCII", "partial", "characters.max() < _NOT_ASCII", "characters.max() < 0xFF", PARTIAL),
    _masking("the same in a column of Chinese", "partial", "lengths > start + end", "lengths >= start + end", "partial.py::test_chinese_columns"),
    _masking("a text of other characters in the path of Chinese", "partial", "& 0xF0) == _LEAD_OF_THREE", "& 0x80) == 0x80", "partial.py::test_lengths_of_threes_that_are_none"),
    _masking("a fill that begins in the middle", "partial", "_FALL_IN_STEP = (1, 3)", "_FALL_IN_STEP = (1, 2, 3, 4)", "partial.py::test_chinese_columns"),
    _masking("a null's bytes in the path of Chinese", "partial", "rebuilt(texts) if texts.null_count else texts", "texts", "partial.py::test_bytes_under_a_null"),
    _conforms("a number too short beside its separators", "partial", "(self.start, self.end) if len(bare) > self.start + self.end else (0, 0)", "(self.start, self.end)", "partial"),
    _conforms("a value that no category lists", "category", "otherwise)\n\n        def many", "value)\n\n        def many", "category"),
    _conforms("a text no longer than what truncate keeps, alone", "truncate", "if len(text) > keep", "if len(text) >= keep", "truncate"),
    _conforms("the same in a column", "truncate", "pc.greater(pc", "pc.greater_equal(pc", "truncate"),
    _masking("a region of an id that is none, alone", "generalise", "and not is_resident_id(text)", "and not text[:6].isdigit()", "generalise.py::test_regions"),
    _masking("the same in a column", "generalise", "ids = ids[are_resident_ids(layout.window(ids, LENGTH))]", "ids = ids", "generalise.py::test_regions"),
)  # fmt: skip

BOUNDS = (
    _masking("a negative bound", "partial", "keep_start: WholeNumber = Field(default=0, ge=0, le=64)", "keep_start: WholeNumber = Field(default=0, le=64)", "partial.py::test_bounds_and_fills_that_could_show_or_invent_data_are_refused"),
    _masking("bounds that keep nothing but the length", "partial", "if self.profile is None and self.keep_start + self.keep_end == 0:", "if False:", "partial.py::test_bounds_and_fills_that_could_show_or_invent_data_are_refused"),
    _masking("a fill that passes for data", "partial", "or fill.isalnum()", "", "partial.py::test_bounds_and_fills_that_could_show_or_invent_data_are_refused"),
    _masking("bounds built past their validation", "partial", "bounds = PartialParams.model_validate(params)", "bounds = params", "partial.py::test_bind_trusts_no_constructor"),
    _masking("instances trusted as they are", "contract", 'revalidate_instances="always"', 'revalidate_instances="never"', "partial.py::test_bind_trusts_no_constructor"),
    _masking("crossed bounds of clip", "number", "self.low >= self.high", "False", "number.py::test_bounds_that_bound_nothing_are_refused"),
    _masking("a bucket that hides nothing", "number", "width: WholeNumber = Field(ge=2)", "width: WholeNumber = Field(ge=1)", "number.py::test_widths_that_hide_nothing_are_refused"),
    _masking("rounding that hides nothing", "number", "to: WholeNumber = Field(ge=2)", "to: WholeNumber = Field(ge=1)", "number.py::test_widths_that_hide_nothing_are_refused"),
    _masking("an age band of one year", "dates", "Field(default=10, ge=2, le=100)", "Field(default=10, ge=1, le=100)", "dates.py::test_a_band_needs_a_day_and_a_width"),
    _masking("a parameter that nobody knows", "contract", 'extra="forbid"', 'extra="ignore"', "contract.py::test_unknown_parameters_are_refused"),
)  # fmt: skip

BUFFERS = (
    _conforms("a text cut by the bitmap alone", "truncate", "return rebuilt(pc.if_else(longer, pc.utf8_slice_codeunits(texts, 0, keep), _NOTHING))", "return pc.if_else(longer, texts, _NOTHING)", "truncate"),
    _masking("an answer under a null", "predicate", "return rebuilt(answers)", "return answers", "contract.py::test_no_byte_of_another_type_stays_in_the_buffers"),
    _masking("a number under a null", "number", "return rebuilt(numbers)", "return numbers", "number.py::test_what_a_null_or_a_slice_hides_is_gone"),
    _masking("a new array that is the old one", "arrays", "return values.take(pa.array(np.arange(len(values)), pa.int64()))", "return values", "contract.py::test_no_byte_of_another_type_stays_in_the_buffers"),
    _masking("a number too large, rounded, under its null", "number", "numbers = np.where(known, np.sign(numbers) * sizes, 0)", "numbers = np.sign(numbers) * sizes", "number.py::test_what_a_null_or_a_slice_hides_is_gone"),
    _broker("a clear column's slice and nulls", "desensitize/column", "return rebuilt(clear)", "return clear", PLAN + "test_a_clear_value_under_a_null_is_not_in_the_bytes"),
    _broker("what an operator of anybody's leaves", "desensitize/column", "return rebuilt(released(self._result(clear, beside, self.masked)))", "return released(self._result(clear, beside, self.masked))", PLAN + "test_what_an_operator_leaves_in_buffers_is_removed"),
    _broker("an unused entry of a dictionary", "desensitize/operand", "plain(result, wanted)", "result", PLAN + "test_an_operator_may_choose_an_encoding"),
    _broker("metadata of a source", "desensitize/plan", "return pa.RecordBatch.from_arrays(arrays, schema=self.schema)", "return pa.RecordBatch.from_arrays(arrays, schema=self.schema.with_metadata(batch.schema.metadata))", PLAN + "test_metadata_of_a_source_is_not_passed_on"),
    _broker("a value in an error's chain", "desensitize/plan", "        problem = type(error).__name__\n    # Raised", "        problem = type(error).__name__\n        raise _failed(column.name, problem)\n    # Raised", PLAN + "test_an_operator_that_breaks_its_contract_releases_nothing"),
    _masking("redact that leaves its input's presence", "redact", "return pa.array([REDACTED] * len(values), result)", "return pa.array([None if v is None else REDACTED for v in values.to_pylist()], result)", "redact.py::test_every_row_looks_the_same"),
)  # fmt: skip

LAYOUT = (
    _masking("an offset, text by text", "arrays", "texts.offset * 4)", "0)", "cmac.py::test_layout_honours_offsets_and_empty_arrays"),
    _masking("an offset, texts of one width", "arrays", "present.offset * 4)", "0)", "pseudonym.py::test_one_width_equals_a_plain_loop"),
    _masking("where the first text begins", "arrays", "[ends[0] : ends[-1]]", "[: ends[-1] - ends[0]]", "token.py::test_slices_dictionaries_and_views_are_as_plain_text"),
    _masking("one width in sum but not in each", "arrays", "or (np.diff(ends) != width).any()", "", "partial.py::test_widths_of_all_kinds"),
    _masking("string_view", "arrays", "pa.large_string(), pa.string_view())", "pa.large_string())", "contract.py::test_every_encoding_of_text_gives_the_same"),
    _masking("large_string", "arrays", "(pa.string(), pa.large_string(), pa", "(pa.string(), pa", "contract.py::test_every_encoding_of_text_gives_the_same"),
    _masking("a dictionary", "arrays", "values = values.dictionary_decode()", "values = values.dictionary", "contract.py::test_every_encoding_of_text_gives_the_same"),
    _masking("nulls among texts of one width", "arrays", "if rows < len(valid) or", "if", "pseudonym.py::test_one_width_equals_a_plain_loop"),
)  # fmt: skip

TOKENS = (
    _masking("tokens of 8 bytes, alone", "pseudonym", "cmac(_message(value)).hex()", "cmac(_message(value))[:8].hex()", "pseudonym.py::test_tokens_are_long_deterministic_and_bound_to_their_context"),
    _masking("an unkeyed pseudonym", "pseudonym", "key = keys.derive(KEY_LABEL, 16)", "key = bytes(16)", "pseudonym.py::test_tokens_are_long_deterministic_and_bound_to_their_context"),
    _masking("a pseudonym bound without key", "pseudonym", 'raise ValueError("pseudonym needs a key")', "from adapters.masking.conformance import KnownKeys; keys = KnownKeys()", "pseudonym.py::test_without_a_key_nothing_is_bound"),
    _masking("types that share tokens", "pseudonym", '(b"I" if isinstance(value, int) else b"D")', 'b"T"', "pseudonym.py::test_types_are_told_apart"),
    _masking("the same in a column", "pseudonym", 'return "I", values.cast', 'return "T", values.cast', "pseudonym.py::test_types_are_told_apart"),
    _conforms("an unkeyed encryption", "encrypt", "return keys.derive(KEY_LABEL, _KEY_BYTES)", "return bytes(_KEY_BYTES)", "encrypt"),
    _masking("an unkeyed token", "token", "keys.derive(KEY_LABEL, _KEY_BYTES)", "bytes(_KEY_BYTES)", "token.py::test_keys_and_profiles_are_apart"),
    _masking("profiles that share tokens", "token", "profile.encode())", 'b"")', "token.py::test_keys_and_profiles_are_apart"),
    _masking("CMAC's padding, in a column of one width", "cmac", "frame[length : length + 1] = 0x80", "pass", "pseudonym.py::test_one_width_equals_a_plain_loop"),
    _masking("CMAC's second subkey, in a column of one width", "cmac", "subkeys[int(length < len(frame))]", "subkeys[0]", "pseudonym.py::test_one_width_equals_a_plain_loop"),
    _masking("CMAC's padding, width by width", "cmac", "| _PAD[left]", "", "cmac.py::test_rfc_4493_vectors"),
    _masking("CMAC's second subkey, width by width", "cmac", "subkeys[(left[last] < BLOCK).astype(np.intp)]", "subkeys[0]", "cmac.py::test_rfc_4493_vectors"),
    _masking("the reduction of a subkey", "cmac", "(1 << 128 | 0x87)", "(1 << 128)", "cmac.py::test_rfc_4493_subkeys"),
)  # fmt: skip

SIV = (
    _masking("a tag that nobody looks at", "siv", "== tags).all(axis=1)", "<= 0xFF).all(axis=1)", "siv.py::test_damage_is_found_and_shows_nothing"),
    _masking("a message shown that is not genuine", "siv", "messages[~genuine] = 0", "pass", "siv.py::test_damage_is_found_and_shows_nothing"),
    _masking("SIV's padding of what is shorter than a block", "siv", "changed[:, width] = 0x80", "pass", "siv.py::test_a_column_equals_the_library"),
    _masking("SIV's doubling of what is shorter than a block", "siv", 'double(int.from_bytes(start, "big"))', 'int.from_bytes(start, "big")', "siv.py::test_a_column_equals_the_library"),
    _masking("a block that counts as shorter than one", "siv", "if width >= BLOCK:", "if width > BLOCK:", "siv.py::test_a_column_equals_the_library"),
    _masking("bits of a counter that carry", "siv", "counters[:, [8, 12]] &= 0x7F", "pass", "siv.py::test_bits_that_would_carry_are_cleared"),
    _masking("every block under one key stream", "siv", "words[:, :, -1] += np.arange(count, dtype=np.uint32)", "pass", "siv.py::test_a_column_equals_the_library"),
    _masking("one key for tag and stream", "siv", "_s2v(key[: len(key) // 2], messages, cipher)\n    hidden", "_s2v(key[len(key) // 2 :], messages, cipher)\n    hidden", "siv.py::test_a_column_equals_the_library"),
    _masking("damaged rows of a column, turned back", "encrypt", "fixed_width_texts(messages[genuine, 1:], genuine)", "fixed_width_texts(messages[:, 1:], np.ones(rows, np.bool_))", "encrypt.py::test_nothing_of_what_is_not_genuine_is_in_the_buffers"),
    _masking("bytes that are no text, turned back in a column", "encrypt", "texts.validate(full=True)", "pass", "encrypt.py::test_what_is_genuine_but_no_text_becomes_null"),
    _masking("digits of no base64 in a column", "encrypt", "or written.tobytes().translate(None, _DIGITS)", "", "encrypt.py::test_a_column_equals_each_alone"),
    _masking("texts of several widths out of their order", "widths", "if (rows[1:] > rows[:-1]).all():", "if True:", "encrypt.py::test_a_column_equals_each_alone"),
)  # fmt: skip

CHECKS = (
    _masking("a token with its check character intact, alone", "token", "encrypt_one(body), 1)", "encrypt_one(body), 0)", "token.py::test_round_trip"),
    _masking("the same in a column", "token", ".encrypt(body), 1)", ".encrypt(body), 0)", "token.py::test_round_trip"),
    _masking("a mobile's token that begins as a mobile does", "token", 'token_head=b"0"', 'token_head=b"1"', "token.py::test_round_trip"),
    _masking("a number with a wrong check character, alone", "token", "or text[end:] != self._check_character(body, off)", "", "token.py::test_numbers_that_are_none"),
    _masking("the same in a column", "token", "known &= (self._check_characters(body, off) == characters[:, end:]).all(axis=1)", "pass", "token.py::test_numbers_that_are_none"),
    _masking("an id without a birth date, in a column", "token", "body, known = _only(fits[known], body), known & fits", "pass", "token.py::test_numbers_that_are_none"),
    _masking("a character that is no numeral", "token", "known &= ~foreign.any(axis=1)", "pass", "token.py::test_numbers_that_are_none"),
    _masking("weights of GB 11643", "check_characters", "(7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)", "(7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 2, 4)", "token.py::test_check_characters_are_the_standards"),
    _masking("the order of GB 11643's check characters", "check_characters", '"10X98765432"', '"10987X65432"', "token.py::test_check_characters_are_the_standards"),
    _masking("the alphabet of GB 32100", "check_characters", "0123456789ABCDEFGHJKLMNPQRTUWXY", "0123456789ABCDEFGHJKLMNOPRTUWXY", "token.py::test_check_characters_are_the_standards"),
    _masking("weights of GB 32100", "check_characters", "pow(3, place, 31)", "pow(2, place, 31)", "token.py::test_check_characters_are_the_standards"),
    _masking("Luhn's carry", "check_characters", "total + doubled - (doubled > 9) * 9", "total + doubled", "token.py::test_check_characters_are_the_standards"),
    _masking("the 29th of February of 1900", "resident_id", "(year % 100 != 0) | (year % 400 == 0)", "(year % 4 == 0)", "generalise.py::test_both_forms_of_the_id_check_know_leap_years"),
)  # fmt: skip

FF1 = (
    _masking("a domain below a million", "ff1", "SMALLEST_DOMAIN = 1_000_000", "SMALLEST_DOMAIN = 100_000", "ff1.py::test_small_domains_are_refused"),
    _masking("a column's constants: the tweak", "ff1", "start = tweak + bytes(padding)", "start = bytes(len(tweak) + padding)", "ff1.py::test_nist_samples"),
    _masking("a column's constants: the radix", "ff1", 'self.radix.to_bytes(3, "big")', "bytes([0, 0, 10])", "ff1.py::test_nist_samples"),
    _masking("a column's constants: the counter of rounds", "ff1", "counter = i << 8 * (BLOCK - 1 - first)", "counter = 0", "ff1.py::test_nist_samples"),
    _masking("halves of an odd length", "ff1", "self._left, self._right = length // 2, length - length // 2", "self._right, self._left = length // 2, length - length // 2", "ff1.py::test_nist_samples"),
    _masking("ten rounds", "ff1", "_ROUNDS = 10", "_ROUNDS = 8", "ff1.py::test_nist_samples"),
    _masking("the edge of a chunk", "ff1", "rows = slice(first, first + _ROWS_AT_ONCE)", "rows = slice(first, first + _ROWS_AT_ONCE - 1)", "ff1.py::test_nist_samples"),
    _masking("a numeral outside the radix", "ff1", 'raise ValueError("FF1: a numeral outside the radix")', "pass", "ff1.py::test_what_is_no_row_of_numerals_is_refused"),
    _masking("the longer half's output", "ff1", "4 * ceil(self._half_bytes / 4) + 4", "4 * ceil(self._half_bytes / 4)", "ff1.py::test_nist_samples"),
    _masking("a half as wide as a word", "ff1", "_WIDEST_HALF = 1 << 56", "_WIDEST_HALF = 1 << 64", "ff1.py::test_halves_around_a_words_width"),
    _masking("the sum of halves, reduced", "ff1", "np.minimum(total, total - modulus)", "total", "ff1.py::test_nist_samples"),
)  # fmt: skip

KEYS = (
    _broker("two fields of a table under one key", "desensitize/plan", 'field.domain or f"{dataset.id}.{field.name}"', "dataset.id", PLAN + "test_keys_are_asked_for_by_domain_and_only_when_needed"),
    _broker("consumers that share keys", "keys/keyring", '("mask", provider, consumer, purpose, domain)', '("mask", provider, purpose, domain)', "keys/test_keyring.py::test_contexts_get_unrelated_keys"),
    _broker("purposes that share keys", "keys/keyring", '("mask", provider, consumer, purpose, domain)', '("mask", provider, consumer, domain)', "keys/test_keyring.py::test_contexts_get_unrelated_keys"),
    _broker("domains that share keys", "keys/keyring", '("mask", provider, consumer, purpose, domain)', '("mask", provider, consumer, purpose)', "keys/test_keyring.py::test_contexts_get_unrelated_keys"),
    Mutant("contexts that meet when joined", MASKING + "keys.py", 'len(part).to_bytes(4, "big") + part', "part", "tests/keys/test_keyring.py::test_encoding_of_contexts_isunambiguous"),
    Mutant("operators that share keys", MASKING + "keys.py", "unambiguous((label, str(length)))", "unambiguous((str(length),))", "tests/keys/test_keyring.py::test_contexts_get_unrelated_keys"),
    _broker("a column skipped because another was masked alike", "desensitize/plan", "tuple(_planned(name, approved, operators, keys) for name in approved.application.fields)", "tuple(_planned(name, approved, operators, keys if i == 0 else keys) if approved.decision.obligations.masks.get(name) not in [approved.decision.obligations.masks.get(n) for n in approved.application.fields[:i]] else PlannedColumn(name, approved.dataset.fields[name].type, None) for i, name in enumerate(approved.application.fields))", PLAN + "test_two_pseudonyms_in_one_table_are_both_masked"),
    _broker("a digest of parameters without the parameters", "desensitize/column", 'params.model_dump(mode="json")', "{}", PLAN + "test_what_the_statement_says"),
    _broker("a digest without the defaults", "desensitize/column", 'params.model_dump(mode="json")', 'params.model_dump(mode="json", exclude_defaults=True)', PLAN + "test_what_the_statement_says"),
)  # fmt: skip

MEANING = (
    _broker("a decimal spelled two ways, in a column", "desensitize/operand", "    if field_type is not FieldType.DECIMAL:\n        return values\n", "    return values\n", PLAN + "test_decimals_are_numbers_to_an_operator"),
    _broker("a decimal spelled two ways, alone", "desensitize/singly", "[number(text) for text in values]", "list(values)", "desensitize/test_singly.py::test_a_decimal_is_a_number_to_the_mask"),
    _broker("a result of another type, alone", "desensitize/singly", "if not set(map(type, results)) <= kinds:", "if False:", "desensitize/test_singly.py::test_a_broken_promise_releases_nothing"),
    _broker("another number of results, alone", "desensitize/singly", "if len(results) != len(values):", "if False:", "desensitize/test_singly.py::test_a_broken_promise_releases_nothing"),
    _broker("another number of results, in a column", "desensitize/column", "if len(result) != len(clear):", "if False:", PLAN + "test_an_operator_that_breaks_its_contract_releases_nothing"),
    _masking("a threshold in another spelling", "predicate", 'int(_spelled(text, "[+-]?[0-9]+"))', "int(text)", "predicate.py::test_questions_that_do_not_fit_the_column_are_refused"),
    _masking("a threshold of a time without its zone", "predicate", "if (moment.tzinfo is None) != (column.tz is None):", "if False:", "predicate.py::test_questions_that_do_not_fit_the_column_are_refused"),
    _masking("two operators of one name", "registry", "if offers[name] > 1:", "if offers[name] > 2:", "registry.py::test_one_name_offered_twice_is_refused"),
    _conforms("a date moved by no day", "shift", "return drawn + (drawn >= 0)", "return drawn", "date_shift"),
    _conforms("a date of nobody that is known", "shift", "if number is None or not subject or", "if number is None or", "date_shift"),
    _masking("the year of a moment elsewhere", "generalise", "dates = dates.cast(pa.timestamp(dates.type.unit, tz=zone))", "pass", "generalise.py::test_year_of_a_moment_is_that_of_the_place"),
)  # fmt: skip

BESIDE = (
    _masking("a date moved by no day, alone", "shift", "return drawn + (drawn >= 0)", "return drawn", "shift.py::test_few_and_many_rows_agree_and_intervals_stay_true"),
    _masking("the same in a column", "shift", "moved[rows] += (drawn + (drawn >= 0)) * units", "moved[rows] += drawn * units", "shift.py::test_everybody_moves_and_nobody_too_far"),
    _masking("a mark moved like a date", "shift", "return _FIRST < day < _LAST", "return True", "shift.py::test_marks_and_strangers_get_nothing"),
    _masking("a text array that Arrow garbles in capitals", "shift", "_in_capitals(TextBytes.of(subjects))", "TextBytes.of(pc.ascii_upper(subjects))", "conformance.py::test_every_operator_conforms[date_shift]"),
    _masking("more shown of a form that it is not", "displays", "return 0, 0", "return 1, 0", "displays.py::test_examples"),
    _masking("separators shown of what shows nothing", "partial", "kept &= (heads + tails > 0)[row]", "pass", "displays.py::test_separators_stay_and_do_not_count"),
    _broker("claims for any operator", "desensitize/plan", "and mask.operator != MATCH", "and False", "desensitize/test_plan.py::test_claims_go_to_match_alone_and_only_where_there_are_any"),
    _broker("a mask by person that does not know whose row it is", "desensitize/plan", "and not subject_of(mask, subjects):", "and False:", "desensitize/test_plan.py::test_who_a_row_is_about_is_known_or_named"),
)  # fmt: skip

ALL = SHORT + BOUNDS + BUFFERS + LAYOUT + TOKENS + SIV + CHECKS + FF1 + KEYS + MEANING + BESIDE
