from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.json_limits import MOST_DIGITS, MOST_LEVELS, read_json
from tests.recorded import recorded
from tests.service.signed import joined, written

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


def nested(levels: int, opening: str = "[", closing: str = "]", inner: str = "") -> str:
    return opening * levels + inner + closing * levels


@given(JSON)
def test_what_is_within_the_limits_is_read_as_ever(value):
    text = json.dumps(value)
    assert read_json(text) == value
    assert read_json(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize("recording", recorded(), ids=lambda each: each.step)
def test_what_livekit_sends_is_read_as_ever(recording):
    assert read_json(recording.body) == json.loads(recording.body)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
def test_so_many_levels_and_no_more(opening, closing):
    each = opening.count("[") + opening.count("{")
    read_json(nested(MOST_LEVELS // each, opening, closing, "0"))
    for levels in (MOST_LEVELS // each + 1, 900, 100_000):
        with pytest.raises(ValueError, match="nested deeper than 64 levels"):
            read_json(nested(levels, opening, closing, "0"))


def test_brackets_in_texts_and_beside_each_other_do_not_count():
    read_json(json.dumps({"metadata": nested(500), "many": [[]] * 5000}))


@pytest.mark.parametrize("sign", ["", "-"])
def test_a_whole_number_has_so_many_digits_and_no_more(sign):
    most = sign + "9" * MOST_DIGITS
    assert read_json(most) == int(most)
    with pytest.raises(ValueError, match="a number of 21 digits is too large: 20 are allowed"):
        read_json(f"[{most}9]")


@pytest.mark.parametrize("text", ["1e999", "-1e400", "9" * 400 + ".0"])
def test_a_number_that_no_float_holds_is_refused(text):
    with pytest.raises(ValueError, match="is too large"):
        read_json(text)


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"NaN", b"[-Infinity]", b"\xff", b'"\xed\xa0\x80"', b"\xef\xbb\xbf{}",
            '{"a":1}'.encode("utf-16")]
)  # fmt: skip
def test_what_is_no_json_in_utf_8_is_a_value_error(raw):
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
        read_json(raw)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (nested(MOST_LEVELS), "nested deeper than 64 levels"),
        ("9" * 21, "a number of 21 digits"),
        ("1e999", "the number 1e999 is too large"),
    ],
)
def test_a_signed_webhook_beyond_them_is_400(post, redis, value, words):
    raw = written(joined() | {"unheardOf": "?"}).replace(b'"?"', value.encode())
    answer = post(raw)
    assert (answer.status_code, answer.json["type"].rpartition(":")[2]) == (400, "not-an-event")
    assert words in answer.json["detail"]
    assert redis.dbsize() == 0


def test_a_signed_webhook_within_them_is_taken(post):
    raw = written(joined() | {"unheardOf": "?"}).replace(b'"?"', nested(MOST_LEVELS - 1).encode())
    assert post(raw).json == {"status": "accepted"}
