"""What is found in texts, what is not, that nothing shows a value, and how long looking takes."""

from __future__ import annotations

import json
import sysconfig
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.privacy.findings import Finding, apart
from router.privacy.scan import find, scan

# What, the text around it, the value as it stands there.
FOUND: list[tuple[str, str, str]] = [
    ("email", "mail {} now", "alice.smith@corp-x.de"),
    ("email", "<{}>", "Jürgen.Groß+x@firma.co.uk"),
    ("email", "mailto:{}?subject=x", "bob@widgets.io"),
    ("email", "Author: A <{}>,", "a1b@lists.corp.local"),
    ("email", 'hello\\n{}"', "zoe@widgets.io"),
    ("email", "alice=7;{}.", "BOB@WIDGETS.COM"),
    ("iban", "pay {} today", "DE75512108001245126199"),
    ("iban", 'iban = "{}"', "GB94 BARC 1020 1530 0934 59"),
    ("card", "{},7,8", "4539148803436467"),
    ("card", "card: {}", "4539 1488 0343 6467"),
    ("card", "'{}'", "3714-896353-98429"),
    ("us-ssn", "ssn {}", "536-90-4399"),
    ("us-ssn", '{{"ssn": "{}"}}', "536904399"),
    ("it-codice-fiscale", "({})", "RSSMRA85T10A562S"),
    ("fi-hetu", "{}", "131052-308T"),
    ("de-idnr", "Steuer-ID {}", "36 574 261 809"),
    ("nl-bsn", "BSN: {}", "111222333"),
    ("pl-pesel", "pesel={}", "44051401359"),
    ("gb-nino", "nino: {}", "AB 28 34 61 C"),
    ("phone", "call {}!", "+49 30 90260"),
    ("phone", "{} 2024 07", "+1 415 555 2671"),
    ("phone", "tel:{}", "+31-641044153"),
    ("phone", '"{}"', "+14155552671"),
    ("phone", "me at {},", "(415) 555-2671"),
    ("phone", "telefon = '{}'", "030 901820"),
    ("assigned-secret", 'password = "{}"', "Xk93-pQ7zLm20vBt"),
    ("url-password", "redis://:{}@cache/0", "s3cr3t"),
]
NOT_FOUND = [
    "",
    "@app.route('/x')\n@pytest.mark.parametrize\ndef f(self): return x@w.to(device) + q@k.mT + a@b[0]",
    "git clone git@github.com:owner/name.git && ssh deploy@web.corp.com:/srv && curl https://alice@corp.com/x",
    "lodash@4.17.21 @scope/pkg@1.0.0-beta.2 actions/checkout@v4 logo@2x.png user@1000.service image@sha256:abcd",
    "user@example.com a@b.example ann@shop.example.org foo@bar.com test@test.com a@b.com x@host.test root@localhost",
    "noreply@corp.com 1234+jo@users.noreply.github.com security@corp.com postmaster@corp.com",
    "f'{name}@corp.com' '%s@corp.com' `${user}@corp.com`",
    "550e8400-e29b-41d4-a716-446655440000 da39a3ee5e6b4b0d3255bfef95601890afd80709 0x4539148803436467",
    "1588230740 1588230740123 2021-03-04T12:33:11.123456 4503599627370496 9007199254740991 0.4539148803436467",
    "4111111111111111 4242 4242 4242 4242 378282246310005 DE89370400440532013000 123-45-6789 111-22-3333",
    "4539148803436468 DE75512108001245126198",
    "id 111222333 44051401359 36574261809 536904399 131052-308X",
    "+1 415 555 0123 +44 7700 900123 x+14155552671 1e+14155552671 Decimal('+35236450.6') +1234567890",
    "phone_number: int = 1234 # telemetry 2021-03-04 12:33 mobile 100 200",
    "@@ -1,2 +1,2 @@\n@@ -3 +3 @@\n+14155552671\n-14155552672",
]


@pytest.mark.parametrize(("what", "around", "value"), FOUND)
def test_the_value_is_found_and_nothing_else(what: str, around: str, value: str) -> None:
    text = around.format(value)
    begin = text.index(value)
    (finding,) = find(text)
    assert (finding.what, finding.begin, finding.end) == (what, begin, begin + len(value))
    assert value not in repr(finding) + str(finding)


@pytest.mark.parametrize("text", NOT_FOUND)
def test_ordinary_text_holds_nothing(text: str) -> None:
    assert [(each.what, text[each.begin : each.end]) for each in find(text)] == []


def test_the_key_that_a_value_stands_under_says_what_it_is() -> None:
    assert find("Xk93-pQ7zLm20vBt") == []
    assert find("Xk93-pQ7zLm20vBt", "db_password") == [Finding("secret", "assigned-secret", 0, 16)]
    assert find("536904399", "ssn") == [Finding("personal", "us-ssn", 0, 9)]
    assert find("nothing", "alice@widgets.io") == []


def test_texts_are_numbered_and_findings_in_order() -> None:
    texts = ["bob@widgets.io and password='Xk93-pQ7zLm20vBt'", "", "ann@widgets.io"]
    assert [(each.text, each.what) for each in scan(texts)] == [(0, "email"), (0, "assigned-secret"), (2, "email")]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30), st.integers(1, 9))))
def test_findings_set_apart_cover_what_they_covered(spans: list[tuple[int, int, int]]) -> None:
    findings = [Finding("secret", "x", begin, begin + length, text) for text, begin, length in spans]
    result = apart(findings)

    def covered(those: list[Finding]) -> set[tuple[int, int]]:
        return {(each.text, at) for each in those for at in range(each.begin, each.end)}

    assert covered(result) == covered(findings)
    assert sum(each.end - each.begin for each in result) == len(covered(result))


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.sampled_from([value for *_, value in FOUND] + [*"@.+-: \n\"'", "phone", "7", "a"]) | st.text(max_size=4)
    )
)
def test_any_text_may_be_looked_at(fragments: list[str]) -> None:
    text = "".join(fragments)
    for each in find(text):
        assert 0 <= each.begin < each.end <= len(text)


def test_the_standard_library_holds_addresses_of_its_authors_and_nothing_else() -> None:
    """160 modules about protocols, mail, numbers and time: no secret, no number, no phone."""
    files = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    assert len(files) > 150
    assert {each.what for path in files for each in find(path.read_text())} <= {"email"}


def test_looking_takes_a_fraction_of_fifty_milliseconds_for_a_hundred_kilobytes() -> None:
    library = Path(sysconfig.get_paths()["stdlib"])
    source = "".join(path.read_text() for path in sorted((library / "asyncio").glob("*.py")))[:100_000]
    rows = [{"id": number, "at": 1588230740000 + number * 977, "digest": f"{number:032x}"} for number in range(1500)]
    for text in (source, json.dumps(rows)[:100_000]):
        find(text)
        assert min(_cpu_seconds(text) for _ in range(5)) < 0.05


def test_text_written_to_be_slow_is_not() -> None:
    """100 kB that repeat what a form begins with: what is quadratic needs minutes for it."""
    units = [
        "a@",
        "a" * 63 + "@",
        "a@a.",
        "+1 ",
        "phone 0",
        "DE12 ",
        "1 2 3 ",
        "123-",
        "A1",
        "tel 030 901820 ",
        "ABCDEF12A",
    ]
    for unit in (*units, *(around.format(value) for _, around, value in FOUND)):
        assert _cpu_seconds(unit * (100_000 // len(unit))) < 4, unit


def test_each_kind_is_counted_once_where_several_forms_fit() -> None:
    counts = Counter(each.what for each in find("bsn 111222333\nssn 536904399\nphone +14155552671"))
    assert counts == {"nl-bsn": 1, "us-ssn": 1, "phone": 1}


def _cpu_seconds(text: str) -> float:
    began = time.process_time()
    find(text)
    return time.process_time() - began
