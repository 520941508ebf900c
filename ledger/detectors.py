"""What a secret looks like: one table of patterns, from detect-secrets and our own. No rewriting here.

Only secrets with a recognisable shape or name are taken: high-entropy strings, identifiers and digests are
ordinary in code. A pattern is tried only where one of its literal beginnings stands, and then takes bounded time
or consumes what it read, so the whole is linear also in text written to make it slow. Plugins of detect-secrets
that would not be (OpenAI, NPM, JWT, basic auth) or that match ordinary code are left out for patterns of ours.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from math import log2
from operator import itemgetter
from typing import Any

_NAMED = ("passwd", "password", "passphrase", "secret", "token", "credential")
_KEY_OF = ("api", "access", "auth", "private", "account", "client")
_SECRET_NAME = rf"(?:{'|'.join(_NAMED)}|(?:{'|'.join(_KEY_OF)})[_-]?key)"
# A name with such an ending speaks about a secret; its value is none.
_ABOUT_A_SECRET = re.compile(
    r"(?:hash|digest|sha\d*|id|name|url|uri|path|file|type|field|header|env|ref|version|count)s?\Z", re.IGNORECASE
)
_PLACEHOLDERS = frozenset({"password", "passwd", "pass", "pwd", "secret", "changeme", "example", "xxx", "xxxx", "..."})
_TEMPLATE = re.compile(r"[{}]|\A[$<]|%[(s]|\*\*|://|\[redacted:")
# No token goes on here. An escape that ends in a letter ("\n" or "\u003d" in JSON, "%3D" in a URL) is no token.
_START = r"(?:(?<![A-Za-z0-9_-])|(?<=\\[nrt])|(?<=\\u[0-9A-Fa-f]{4})|(?<=%[0-9A-Fa-f]{2}))"


@dataclass(frozen=True, slots=True)
class Detector:
    """One kind of secret: patterns tried wherever a beginning (lower case) stands in the lower-case text.

    The group `secret` of an accepted match is the secret.
    """

    kind: str
    beginnings: tuple[str, ...]
    patterns: tuple[re.Pattern[str], ...]
    accept: Callable[[re.Match[str]], bool] = bool


@cache
def detectors() -> tuple[Detector, ...]:
    """All detectors. The first call imports detect-secrets, which takes a fifth of a second."""
    return (*_blocks(), *_library_tokens(), *_own_tokens(), *_named_secrets())


@cache
def any_beginning() -> re.Pattern[str]:
    """Finds the first place where any detector would be tried.

    Most places hold no first letter of a beginning; asked for that first, the search takes a third of the time.
    """
    beginnings = sorted({beginning for detector in detectors() for beginning in detector.beginnings})
    by_letter = groupby(beginnings, key=itemgetter(0))
    return re.compile("|".join(f"{re.escape(letter)}(?:{_any_rest(those)})" for letter, those in by_letter))


def _any_rest(beginnings: Iterable[str]) -> str:
    return "|".join(re.escape(beginning[1:]) for beginning in beginnings)


def is_secret_name(name: str) -> bool:
    """Whether a field of this name holds a secret, whatever its value looks like ("password", "github_token")."""
    return re.search(rf"(?:{_SECRET_NAME}|\Aauthorization)\Z", name, re.IGNORECASE) is not None


def _blocks() -> Iterator[Detector]:
    between = r"(?:\s|\\[nrt]|[\"',#>|\\]|[+-](?=[A-Za-z0-9+/]))*+"
    header = r"(?:Proc-Type|DEK-Info|Version|Comment|Charset|Hash):[^\n\\]{0,200}+"
    last_line = rf"(?:{between}[A-Za-z0-9+/=]{{1,15}}(?={between}[+-]?-----END))?"
    key = re.compile(
        r"(?P<secret>(?:-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----|Private-Lines: \d{1,5})"
        rf"(?:{between}{header})*+(?:{between}[A-Za-z0-9+/=]{{16,}}+)++{last_line}"
        rf"(?:{between}[+-]?-----END [A-Z0-9 ]{{0,30}}PRIVATE KEY(?: BLOCK)?-----)?)"
    )
    yield Detector("private-key", ("-----begin", "private-lines"), (key,))
    password = re.compile(r"://(?P<user>[^\s/:@?\"'<>\\`]{0,256}+):(?P<secret>[^\s/?\"'<>\\`]{1,256})@")
    yield Detector(
        "url-password",
        ("://",),
        (password,),
        lambda match: match["secret"] != match["user"] and _is_literal(match["secret"]),
    )


def _library_tokens() -> Iterator[Detector]:
    for plugin, beginnings in _library_plugins():
        kind = plugin.secret_type.lower().replace(" ", "-")
        yield Detector(kind, beginnings, tuple(_naming_its_secret(pattern) for pattern in plugin.denylist))


def _naming_its_secret(pattern: re.Pattern[str]) -> re.Pattern[str]:
    """A quoted group is the secret of an assignment; else all of the match is, and what goes on after a token."""
    text = pattern.pattern
    if text.endswith(r")[\'\"]"):
        return re.compile(re.sub(r"\((?!\?)", "(?P<secret>", text, count=1), pattern.flags)
    return re.compile(rf"(?P<secret>(?:{text})[A-Za-z0-9_-]*)", pattern.flags)


def _library_plugins() -> list[tuple[Any, tuple[str, ...]]]:
    """The plugins by themselves: no scan, hence no settings and no verification over the network."""
    show_warning = warnings.showwarning
    from detect_secrets.plugins import (
        aws,
        azure_storage_key,
        github_token,
        gitlab_token,
        pypi_token,
        sendgrid,
        slack,
        square_oauth,
        stripe,
    )

    # Importing detect-secrets redirects this process's warnings into logging and adds a handler; both are undone.
    if warnings.showwarning is not show_warning:
        logging.captureWarnings(False)
    logging.getLogger("detect-secrets").handlers.clear()
    gitlab = ("glpat-", "gldt-", "glft-", "glsoat-", "glrt-", "gr1348941", "glcbt-", "glimt-", "glptt-")
    return [
        (aws.AWSKeyDetector(), ("akia", "asia", "abia", "acca", "a3t", "aws")),
        (azure_storage_key.AzureStorageKeyDetector(), ("accountkey=",)),
        (github_token.GitHubTokenDetector(), ("ghp_", "gho_", "ghu_", "ghs_", "ghr_")),
        (gitlab_token.GitLabTokenDetector(), (*gitlab, "glagent-", "gloas-")),
        (pypi_token.PypiTokenDetector(), ("pypi-",)),
        (sendgrid.SendGridDetector(), ("sg.",)),
        (slack.SlackDetector(), ("xox", "https://hooks.slack.com/")),
        (square_oauth.SquareOAuthDetector(), ("sq0csp-",)),
        (stripe.StripeDetector(), ("sk_live_", "rk_live_")),
    ]


def _own_tokens() -> Iterator[Detector]:
    shapes = {
        ("bailey-key", "bly_"): r"[A-Za-z0-9_-]{43,}",
        ("github-token", "github_pat_"): r"[A-Za-z0-9_]{22,}",
        ("google-api-key", "AIza"): r"[A-Za-z0-9_-]{35,}",
        ("hugging-face-token", "hf_"): r"[A-Za-z0-9]{34,}",
        ("npm-token", "npm_"): r"[A-Za-z0-9]{36,}",
        ("groq-api-key", "gsk_"): r"[A-Za-z0-9]{48,}",
        ("artifactory-credentials", "AKC"): r"[A-Za-z0-9]{40,}",
        ("json-web-token", "eyJ"): r"[A-Za-z0-9_-]{10,}+(?:\.[A-Za-z0-9_-]+){1,4}",
    }
    for (kind, beginning), rest in shapes.items():
        pattern = re.compile(rf"{_START}(?P<secret>{beginning}{rest})")
        yield Detector(kind, (beginning.lower(),), (pattern,))
    # OpenAI, Anthropic, OpenRouter, DeepSeek: the same prefix; "sk-" also begins the names of CSS classes.
    provider = re.compile(rf"{_START}(?P<secret>sk-[A-Za-z0-9_-]{{20,}}+)")
    yield Detector("model-provider-key", ("sk-",), (provider,), lambda match: _is_random(match["secret"]))


def _named_secrets() -> Iterator[Detector]:
    """Values after a header or under the name of a secret: quoted in code and JSON, bare in environment files."""
    colon = r"\\?[\"']?\s?[:=]\s?\\?[\"']?"
    header = re.compile(
        rf"(?:bearer\s|authorization{colon}(?:basic|token)\s|x-api-key{colon})\s{{0,3}}(?P<secret>[\w.~+/=-]{{16,}}+)",
        re.IGNORECASE | re.ASCII,
    )
    yield Detector(
        "authorization-header",
        ("bearer", "authorization", "x-api-key"),
        (header,),
        lambda match: any(character.isdigit() for character in match["secret"]),
    )
    annotation = r"(?:\s?:\s?[\w.\[\]| ]{1,40}?)?"
    quoted = re.compile(
        rf"{_SECRET_NAME}(?P<ending>[\w-]{{0,30}}+)\\?[\"']?\]?{annotation}\s{{0,3}}(?::=|==?|=>|:)\s{{0,3}}"
        r"b?\\?[\"'](?P<secret>[^\s\"'`\\]{16,200}+)\\?[\"']",
        re.IGNORECASE,
    )
    bare = re.compile(
        rf"{_SECRET_NAME.upper()}(?P<ending>[A-Z0-9_]{{0,30}}+)[=:]\s?"
        r"(?P<secret>[A-Za-z0-9_+/=.-]{16,200}+)(?=\s|\\|[\"';]|\Z)"
    )
    yield Detector("assigned-secret", (*_NAMED, *_KEY_OF), (quoted, bare), _is_assigned_secret)


def _is_assigned_secret(match: re.Match[str]) -> bool:
    about_a_secret = _ABOUT_A_SECRET.search(match["ending"])
    return not about_a_secret and _is_literal(match["secret"]) and _is_random(match["secret"])


def _is_literal(value: str) -> bool:
    """Whether a value stands for itself: it is no template, mask or well-known placeholder."""
    return value.lower() not in _PLACEHOLDERS and not _TEMPLATE.search(value)


def _is_random(value: str) -> bool:
    """Whether a value looks drawn by chance: a run of mixed letters and digits, at 3 bits a character or more."""
    runs = re.findall(r"[A-Za-z0-9]{8,}", value)
    mixed = any(not run.isalpha() and not run.isdigit() for run in runs)
    return mixed and _entropy(value) >= 3.0


def _entropy(value: str) -> float:
    """Shannon entropy of the characters, in bits."""
    shares = (count / len(value) for count in Counter(value).values())
    return -sum(share * log2(share) for share in shares)
