"""Where numbers of accounts, cards and persons stand in a text: each has a form and check digits.

Most numbers in code are something else. Those whose form is plain digits count only near a word that says what they
are; published test numbers and examples never do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stdnum import iban, luhn
from stdnum.be import nn
from stdnum.br import cpf
from stdnum.ca import sin
from stdnum.ch import ssn as ahv
from stdnum.de import idnr
from stdnum.dk import cpr
from stdnum.es import dni, nie
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.gb import nhs
from stdnum.in_ import aadhaar
from stdnum.it import codicefiscale
from stdnum.nl import bsn
from stdnum.no import fodselsnummer
from stdnum.pl import pesel
from stdnum.se import personnummer
from stdnum.us import ssn

from router.privacy.findings import Finding

# Where a number may begin: six digits with little between them, or the first characters of an IBAN, a codice fiscale or
# a NINO, and nothing before that would make it a part of something longer.
_BEGIN = re.compile(
    r"[0-9A-Z](?<![\w.+-][0-9A-Z])(?=(?:[ .+-]?\d){5}|[A-Z] ?\d\d[ A-Z0-9]{4}|[A-Z]{5}\d\d[A-Z]|-\d{7})"
)
_END = r"(?![\w+-]|\.\d)"
_SAID_BEFORE, _SAID_AFTER = 60, 20
_WHITE, _NO_DIGIT = re.compile(r"[\s.+-]"), re.compile(r"\D")
# Test cards of Stripe, Adyen and PayPal; the IBAN registry's and Wikipedia's examples; the SSN of everybody's example.
_PUBLISHED_WORDS = (
    "4111111111111111 4242424242424242 4000056655665556 4012888888881881 4000000000000002 4000000000009995"
    " 4000002500003155 4000002760003184 4000000000003220 4988438843884305 4166676667666746 4646464646464644"
    " 4444333322221111 5555555555554444 5200828282828210 5105105105105100 5454545454545454 2223003122003222"
    " 2222400070000005 5555341244441115 378282246310005 371449635398431 370000000000002 6011111111111117"
    " 6011000990139424 3056930009020004 36227206271667 3566002020360505 6200000000000005 5424000000000015"
    " DE89370400440532013000 GB29NWBK60161331926819 GB82WEST12345698765432 GB33BUKB20201555555555"
    " FR1420041010050500013M02606 ES9121000418450200051332 IT60X0542811101000000123456 NL91ABNA0417164300"
    " BE68539007547034 CH9300762011623852957 AT611904300234573201 PL61109010140000071219812874"
    " SE4550000000058398257466 NO9386011117947 DK5000400440116243 FI2112345600000785 111223333"
)
_PUBLISHED = frozenset(_PUBLISHED_WORDS.split())


@dataclass(frozen=True, slots=True)
class Number:
    """A kind of number: its form, its check, and the words one of which must stand near, if digits alone say little."""

    what: str
    form: re.Pattern[str]
    is_valid: Callable[[str], bool]
    words: tuple[str, ...]
    near: re.Pattern[str]


def _number(what: str, form: str, is_valid: Callable[[str], bool], *words: str) -> Number:
    # A short word is a part of many others.
    near = "|".join(word if len(word) > 4 else f"(?<![a-z]){word}(?![a-z])" for word in words)
    return Number(what, re.compile(f"(?:{form}){_END}"), is_valid, words, re.compile(near, re.IGNORECASE))


def _is_card(written: str) -> bool:
    """Check digit, and the range and length of an issuer: Visa, Mastercard, Amex, Discover, JCB or Diners."""
    digits = re.sub(r"[ -]", "", written)
    return _ISSUERS.fullmatch(digits) is not None and luhn.is_valid(digits)


_ISSUERS = re.compile(
    r"4\d{15}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|6(?:011|5\d\d|4[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|3(?:0[0-5]|[689]\d)\d{11}"
)
_NUMBERS = (
    _number("iban", r"[A-Z]{2}\d\d(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?", iban.is_valid),
    _number("card", r"\d{4}([ -]?)\d{4}\1\d{4}\1\d{4}|3\d{3}([ -]?)\d{6}\2\d{4,5}", _is_card),
    _number("us-ssn", r"\d{3}-\d\d-\d{4}", ssn.is_valid),
    _number("us-ssn", r"\d{9}", ssn.is_valid, "ssn", "social"),
    _number("br-cpf", r"\d{3}\.\d{3}\.\d{3}-\d\d", cpf.is_valid),
    _number("ch-ahv", r"756\.\d{4}\.\d{4}\.\d\d", ahv.is_valid),
    _number("be-nn", r"\d\d\.\d\d\.\d\d-\d{3}\.\d\d", nn.is_valid),
    _number("fi-hetu", r"\d{6}[-+A]\d{3}[0-9A-Y]", hetu.is_valid),
    _number("it-codice-fiscale", r"[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]", codicefiscale.is_valid),
    _number("fr-nir", r"[12] \d\d \d\d \d\d \d{3} \d{3} \d\d", nir.is_valid),
    _number("fr-nir", r"[12]\d{14}", nir.is_valid, "nir", "sécu", "secu", "insee"),
    _number("de-idnr", r"\d\d ?\d{3} ?\d{3} ?\d{3}", idnr.is_valid, "steuer", "idnr", "tax", "tin"),
    _number("pl-pesel", r"\d{11}", pesel.is_valid, "pesel"),
    _number("no-fodselsnummer", r"\d{6} ?\d{5}", fodselsnummer.is_valid, "fødsel", "fodsel", "personn"),
    _number("se-personnummer", r"(?:19|20)?\d{6}[-+]\d{4}", personnummer.is_valid, "person", "pnr"),
    _number("dk-cpr", r"\d{6}-?\d{4}", cpr.is_valid, "cpr"),
    _number("nl-bsn", r"\d{9}|\d{4}\.\d\d\.\d{3}", bsn.is_valid, "bsn", "burgerservice"),
    _number("es-dni", r"\d{8}-?[A-Z]", dni.is_valid, "dni", "nif"),
    _number("es-nie", r"[XYZ]-?\d{7}-?[A-Z]", nie.is_valid, "nie"),
    _number("gb-nhs", r"\d{3}([ -]?)\d{3}\1\d{4}", nhs.is_valid, "nhs"),
    _number("gb-nino", r"[A-CEGHJ-PR-TW-Z]{2} ?\d\d ?\d\d ?\d\d ?[A-D]", bool, "nino", "insurance"),
    _number("ca-sin", r"\d{3}[ -]?\d{3}[ -]?\d{3}", sin.is_valid, "sin", "insurance"),
    _number("in-aadhaar", r"\d{4}[ -]?\d{4}[ -]?\d{4}", aadhaar.is_valid, "aadhaar"),
)


def numbers(text: str) -> Iterator[Finding]:
    """Every number that is in form and checks out, in order; some may overlap."""
    possible: list[Number] | None = None
    for begin in _BEGIN.finditer(text):
        if possible is None:  # most texts hold no candidate, and most others none of the words
            lower = text.lower()
            possible = [each for each in _NUMBERS if not each.words or any(word in lower for word in each.words)]
        for number in possible:
            match = number.form.match(text, begin.start())
            if match and _is_said(number, text, match) and _is_somebodys(number, match[0]):
                yield Finding("personal", number.what, *match.span())


def _is_said(number: Number, text: str, match: re.Match[str]) -> bool:
    """Whether a word that this kind of number needs stands near, on the same line."""
    if not number.words:
        return True
    before = text[max(0, match.start() - _SAID_BEFORE) : match.start()].rpartition("\n")[2]
    after = text[match.end() : match.end() + _SAID_AFTER].partition("\n")[0]
    return number.near.search(f"{before} {after}") is not None


def _is_somebodys(number: Number, written: str) -> bool:
    """Whether it is neither a published example nor a pattern of digits, and checks out."""
    plain = _WHITE.sub("", written)
    digits = _NO_DIGIT.sub("", plain)
    drawn = len(set(digits)) > 2 and digits not in "01234567890123456789"
    return drawn and plain not in _PUBLISHED and number.is_valid(written)
