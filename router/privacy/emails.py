"""Where e-mail addresses of persons stand in a text. Much in code has an @ and is none: decorators, versions, remotes.

Nor is an address personal that belongs to a function (RFC 2142), to a machine, or to a domain for examples (RFC 2606).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from router.privacy.findings import Finding

_MOST_LOCAL = 64  # RFC 5321
_LOCAL_BACKWARDS = re.compile(r"[\w.+'-]{1,64}")
_DOMAIN = re.compile(
    r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}(?P<top>[A-Za-z]{2,24}|xn--[a-z0-9-]{2,59})(?![\w-]|\.\w)"
)
# A call or an index (`x@w.to(device)`), or a path on a machine (`deploy@web.corp.com:/srv`).
_NO_ADDRESS_BEFORE = re.compile(r"[(\[]|:[/~]|:[\w.-]+/")
_NO_ADDRESS_AFTER = re.compile(r"[%}$]\Z|://[^\s/@]{0,200}\Z")  # a template, or a user in a URL


def _words(words: str) -> frozenset[str]:
    return frozenset(words.split())


_FILES = _words(
    "png jpg jpeg gif svg webp avif ico css scss less js mjs cjs jsx tsx vue json yaml yml toml xml html htm txt csv"
    " lock whl gz tgz zip tar jar war exe dll rb java kt swift go lua php sql ini cfg conf log tmp bak orig patch diff"
    " ipynb service socket timer target mount slice scope device path swap"
)
_EXAMPLES = re.compile(
    r"(?:\A|\.)(?:example(?:\.[a-z]{2,3}){0,2}|[\w-]+\.(?:example|test|invalid|localhost|localdomain))\Z", re.IGNORECASE
)
_FUNCTIONS = _words(
    "git hg svn ssh root admin administrator info marketing sales support help helpdesk contact office team abuse noc"
    " security postmaster hostmaster webmaster mailer-daemon usenet news www uucp ftp noreply no-reply donotreply"
    " do-not-reply notifications notification bounce bounces daemon nobody devnull dev-null bot ci"
)
_DUMMIES = _words(
    "foo bar baz qux spam eggs ham test tests testing user users username me you we us them here there someone somebody"
    " name email e-mail mail domain mydomain yourdomain host hostname site somewhere nowhere elsewhere address"
    " example company yourcompany acme dummy fake sample placeholder abc xyz my your"
)


def emails(text: str) -> Iterator[Finding]:
    """Every address of a person, in order."""
    at = text.find("@")
    while at >= 0:
        if domain := _DOMAIN.match(text, at + 1):
            begin = _local_begin(text, at)
            if begin < at and _is_personal(text, begin, at, domain):
                yield Finding("personal", "email", begin, domain.end())
        at = text.find("@", at + 1)


def _local_begin(text: str, at: int) -> int:
    """Where the local part begins that ends before the @; `at` if there is none."""
    before = text[max(0, at - _MOST_LOCAL) : at]
    match = _LOCAL_BACKWARDS.match(before[::-1])
    local = before[len(before) - match.end() :].lstrip(".+'-") if match else ""
    if text[at - len(local) - 1 : at - len(local)] == "\\" and local[:1] in ("n", "r", "t"):
        local = local[1:]  # an escape that ends in a letter
    return at - len(local)


def _is_personal(text: str, begin: int, at: int, domain: re.Match[str]) -> bool:
    local, top = text[begin:at].lower(), domain["top"]
    if top.lower() in _FILES or not (top.islower() or top.isupper()):
        return False
    if _NO_ADDRESS_BEFORE.match(text, domain.end()) or _NO_ADDRESS_AFTER.search(text[max(0, begin - 64) : begin]):
        return False
    name = domain[0].lower()
    if _EXAMPLES.search(name) or "noreply" in name or local in _FUNCTIONS:
        return False
    return not (_is_dummy(local) and _is_dummy(name.split(".")[-2]))


def _is_dummy(label: str) -> bool:
    label = label.rstrip("0123456789")
    return len(label) <= 1 or label in _DUMMIES
