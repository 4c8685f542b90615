"""Foreign text, before anybody reads it."""

import pytest

from gan_lab.errors import shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lsgan · Fréchet 日本", "lsgan · Fréchet 日本"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x1b[31mred\x07\x9b", "\\x1b[31mred\\x07\\x9b"),
        ("\u202egnp.exe", "\\u202egnp.exe"),  # would be read from right to left
        ("\udce9", "\\xe9"),  # a byte of a name that is no UTF-8
        ("\ud83d", "\\ud83d"),  # half a character, which nothing can encode
        (None, "None"),
    ],
)
def test_what_is_not_printable_becomes_its_escape(text, expected):
    assert shown(text) == expected
