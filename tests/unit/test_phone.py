"""Every spelling of one number is one number. No database, no clock."""

from contextlib import nullcontext

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from app.domain import phone
from app.domain.errors import CallingCodeInvalid, NumberInvalid
from app.domain.phone import PhoneNumber

NANP_NATIONAL = st.from_regex(r"[1-9][0-9]{9}", fullmatch=True)
GAPS = st.lists(
    st.sampled_from(["", " ", ".", "-", " - ", ") "]), min_size=9, max_size=9
)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("5551234567", id="ten digits"),
        pytest.param("15551234567", id="with the calling code"),
        pytest.param("+15551234567", id="in E.164"),
        pytest.param("+1 (555) 123-4567", id="as a letterhead has it"),
        pytest.param("1-555-123-4567", id="with dashes"),
        pytest.param("555.123.4567", id="with dots"),
        pytest.param("(555)1234567", id="with brackets"),
        pytest.param(" 5551234567 ", id="with spaces around"),
        pytest.param("001 555 123 4567", id="dialled from Europe"),
    ],
)
def test_a_nanp_number_is_the_same_in_every_spelling(text):
    assert phone.read(text, "1") == PhoneNumber("1", "5551234567")


@pytest.mark.parametrize(
    ("text", "code", "national"),
    [
        pytest.param("0612345678", "39", "0612345678", id="Italy keeps its zero"),
        pytest.param("612345678", "39", "612345678", id="and without it is another"),
        pytest.param("020 7946 0958", "44", "2079460958", id="a trunk prefix goes"),
        pytest.param("+44 (0)20 7946 0958", "44", "2079460958", id="even in brackets"),
        pytest.param("0044 20 7946 0958", "44", "2079460958", id="as dialled abroad"),
        pytest.param("442079460958", "44", "2079460958", id="the code repeated"),
        pytest.param("030 123456", "49", "30123456", id="Germany's trunk zero"),
        pytest.param("8 912 345-67-89", "7", "9123456789", id="Russia's trunk eight"),
        pytest.param("0800123456", "800", None, id="eight digits are needed here"),
        pytest.param("12345678", "800", "12345678", id="no country at all"),
    ],
)
def test_elsewhere_the_numbering_plan_decides(text, code, national):
    if national is None:
        with pytest.raises(NumberInvalid):
            phone.read(text, code)
    else:
        assert phone.read(text, code) == PhoneNumber(code, national)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param(" ", id="a space"),
        pytest.param("12345", id="too short"),
        pytest.param("1234567", id="a local number"),
        pytest.param("55512345678", id="too long"),
        pytest.param("5" * 5000, id="far too long"),
        pytest.param("+5551234567", id="perhaps Brazil's"),
        pytest.param("-5551234567", id="a negative number"),
        pytest.param("5.551234567", id="a decimal"),
        pytest.param("5551234567.0", id="a spreadsheet's"),
        pytest.param("5.55123e9", id="in scientific notation"),
        pytest.param("0x14b38ac87", id="hexadecimal"),
        pytest.param("5551234567\t", id="a tab"),
        pytest.param("5551234567\n", id="a line's end"),
        pytest.param("[5551234567]", id="square brackets"),
        pytest.param("5551234567,5551234568", id="two numbers"),
        pytest.param("555\x001234567", id="a NUL"),
        pytest.param("5551234567\u202e", id="a direction mark"),
        pytest.param("\u200b5551234567", id="a zero-width space"),
        pytest.param("٥٥٥١٢٣٤٥٦٧", id="Arabic digits"),
        pytest.param("５５５１２３４５６７", id="full-width digits"),  # noqa: RUF001
        pytest.param("²³¹⁴⁵⁶⁷²³¹", id="superscripts"),
        pytest.param("\ud800", id="a lone surrogate"),
    ],
)
def test_what_is_no_number_without_doubt_is_refused(text):
    with pytest.raises(NumberInvalid):
        phone.read(text, "1")


def test_a_number_that_could_be_two_is_refused_until_it_is_written_with_a_plus():
    with pytest.raises(NumberInvalid):
        phone.read("4915123456789", "49")

    assert phone.read("+4915123456789", "49") == PhoneNumber("49", "15123456789")


@given(
    national=NANP_NATIONAL, gaps=GAPS, prefix=st.sampled_from(["", "1", "+1", "+1 ("])
)
def test_nanp_formatting_never_changes_the_key(national, gaps, prefix):
    spelt = prefix + national[0]
    spelt += "".join(gap + digit for gap, digit in zip(gaps, national[1:], strict=True))
    plain = phone.read(national, "1")

    try:
        read = phone.read(spelt, "1")
    except NumberInvalid:
        assert phone._DECIMAL.fullmatch(spelt)
    else:
        assert read.e164 == plain.e164


def every_example() -> list[tuple[str, phonenumbers.PhoneNumber]]:
    kinds = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE)
    return [
        (region, example)
        for region in sorted(phonenumbers.SUPPORTED_REGIONS)
        for kind in kinds
        if (example := phonenumbers.example_number_for_type(region, kind))
    ]


def test_every_country_s_own_ways_of_writing_are_one_number():
    seen: dict[int, PhoneNumber] = {}
    for _region, example in every_example():
        code = str(example.country_code)
        national = phonenumbers.national_significant_number(example)
        expected = PhoneNumber(code, national)
        for style in (
            PhoneNumberFormat.E164,
            PhoneNumberFormat.INTERNATIONAL,
            PhoneNumberFormat.NATIONAL,
        ):
            spelt = phonenumbers.format_number(example, style)
            assert phone.read(spelt, code) == expected, (spelt, code)
        assert phone.read(f"00{code}{national}", code) == expected
        assert phone.from_e164(expected.e164, example.country_code) == expected
        assert seen.setdefault(expected.e164, expected) == expected


@given(
    code=st.sampled_from(sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)),
    digits=st.from_regex(r"[0-9]{2,15}", fullmatch=True),
)
def test_what_was_read_reads_as_itself(code, digits):
    try:
        number = phone.read(digits, str(code))
    except NumberInvalid:
        return

    assert phone.read(str(number), number.calling_code) == number
    assert phone.from_e164(number.e164, code) == number


@pytest.mark.parametrize("text", ["1", "+1", "44", " 39 ", "800"])
def test_an_assigned_calling_code_is_read(text):
    assert phone.read_calling_code(text) == text.strip(" +")


@pytest.mark.parametrize(
    "text", ["", "0", "01", "999", "1242", "abc", "٤٤", "1.5", "²"]
)
def test_no_other_calling_code_is(text):
    with pytest.raises(CallingCodeInvalid):
        phone.read_calling_code(text)


def test_a_number_without_a_calling_code_may_be_any_country_s():
    found = phone.read_in_any_code("2079460958", "1")

    assert PhoneNumber("1", "2079460958") in found
    assert PhoneNumber("44", "2079460958") in found
    assert phone.read_in_any_code("+442079460958", "1") == (
        PhoneNumber("44", "2079460958"),
    )
    with pytest.raises(NumberInvalid):
        phone.read_in_any_code("1", "1")


@given(text=st.from_regex(r"\A[+0-9]?[ 0-9().-]{6,16}\Z"), code=st.sampled_from("17"))
def test_a_long_list_is_read_as_each_of_its_numbers_would_be(text, code):
    def outcome(read):
        try:
            return read()
        except NumberInvalid:
            return None

    assert outcome(lambda: phone.bulk_reader(code)(text)) == outcome(
        lambda: phone.read(text, code).e164
    )


@pytest.mark.parametrize(
    "text", ["5551234567", "15551234567", "0012345678", "٥٥٥١٢٣٤٥٦٧"]
)
def test_plain_digits_are_read_as_any_other_spelling(text):
    def outcome(read):
        try:
            return read()
        except NumberInvalid:
            return None

    assert outcome(lambda: phone.bulk_reader("1")(text)) == outcome(
        lambda: phone.read(text, "1").e164
    )


NANP, GERMANY = "1", "49"


@pytest.mark.parametrize(
    ("text", "default", "number"),
    [
        pytest.param("12125551234", NANP, "+12125551234", id="without plus"),
        pytest.param("+1 (212) 555-1234", NANP, "+12125551234", id="with plus"),
        pytest.param("0012125551234", GERMANY, "+12125551234", id="with 00"),
        pytest.param("15551234567", NANP, "+15551234567", id="unassigned, but its own"),
        pytest.param("12125551234", GERMANY, "+12125551234", id="another country's"),
        pytest.param("390612345678", NANP, "+390612345678", id="Italy, with its zero"),
        pytest.param("493012345678", GERMANY, "+493012345678", id="its own country's"),
        pytest.param(
            "2125551234", NANP, "+12125551234", id="no code, and none to read"
        ),
        pytest.param("(727) 555-1299", NANP, "+17275551299", id="formatted"),
        pytest.param("03012345678", GERMANY, "+493012345678", id="with a trunk prefix"),
    ],
)
def test_a_number_is_read_with_its_code_or_without_where_there_is_no_doubt(
    text, default, number
):
    assert str(phone.read_with_code(text, default)) == number


@pytest.mark.parametrize(
    ("text", "default"),
    [
        pytest.param("2025550123", NANP, id="Washington or Egypt"),
        pytest.param("5551234567", NANP, id="nobody's or Brazil's"),
        pytest.param("17275551299", GERMANY, id="Florida or a German mobile"),
        pytest.param("15551234567", GERMANY, id="fictional or a German mobile"),
        pytest.param("1212555123", NANP, id="a digit short of its code and number"),
        pytest.param("+2125551234", NANP, id="a plus before no code"),
        pytest.param("", NANP, id="empty"),
        pytest.param("+", NANP, id="a plus"),
    ],
)
def test_a_number_that_may_be_two_is_refused(text, default):
    with pytest.raises(NumberInvalid):
        phone.read_with_code(text, default)


@pytest.mark.parametrize(
    ("number", "whole"),
    [
        (PhoneNumber("1", "5551234567"), True),
        (PhoneNumber("44", "2071234567"), True),
        (PhoneNumber("49", "3012345678"), True),
        (PhoneNumber("49", "3012"), False),
    ],
)
def test_a_number_to_which_digits_could_be_added_is_not_whole(number, whole):
    assert phone.is_whole(number) is whole


@given(
    code=st.sampled_from(sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)),
    digits=st.from_regex(r"[0-9]{4,14}", fullmatch=True),
    default=st.sampled_from(["1", "7", "39", "44", "49"]),
)
def test_with_its_code_a_number_is_itself_or_refused_but_never_another(
    code, digits, default
):
    try:
        number = phone.read(digits, str(code))
        found = phone.read_with_code(f"{number.e164}", default)
    except NumberInvalid:
        return

    assert found == number


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        (" 4930123456", False),
        (" 17275551299", True),
        ("  7275551299", True),
        ("4930123456", True),
        (" (727) 555-1299", True),
    ],
)
def test_a_plus_that_a_url_made_a_space_is_not_taken_for_none(text: str, fits: bool):  # noqa: FBT001
    number = phone.read(text, "1")

    with nullcontext() if fits else pytest.raises(NumberInvalid):
        phone.refuse_lost_plus(text, number)
