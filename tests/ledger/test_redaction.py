"""What is a secret and what is not; twice is once; and no text takes more than linear time."""

from __future__ import annotations

import difflib
import hashlib
import json
import random
import string
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger import redaction
from ledger.detectors import any_beginning, detectors
from ledger.protocol import JsonValue
from ledger.redaction import redact, redact_body, redact_json

CHANCE = random.Random(7)
LETTERS = string.ascii_letters + string.digits


def drawn(number: int, alphabet: str = LETTERS) -> str:
    return "".join(CHANCE.choices(alphabet, k=number))


BASE64_LINES = "\n".join(drawn(64) for _ in range(5)) + "\nQmFpbGV5=="
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{BASE64_LINES}\n-----END RSA PRIVATE KEY-----"
ENCRYPTED = PEM.replace("-----\n", "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,0A1B\n\n", 1)
# Kind, the text around the secret, the secret. The secret must vanish and all else must stay.
SECRETS: list[tuple[str, str, str]] = [
    ("bailey-key", "Use {}.", "bly_" + drawn(43, LETTERS + "-_")),
    ("bailey-key", r'{{"content": "first line\n{}"}}', "bly_" + drawn(43, LETTERS + "-_")),
    ("bailey-key", r"?key\u003d{}\u0026x", "bly_" + drawn(43, LETTERS + "-_")),
    ("bailey-key", "?key%3D{}&x", "bly_" + drawn(43, LETTERS + "-_")),
    ("aws-access-key", "id {} here", "AKIA" + drawn(16, string.ascii_uppercase)),
    ("aws-access-key", 'AWS_SECRET_KEY = "{}"', "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKE"),
    ("azure-storage-account-access-key", "x;{};y", f"AccountKey={drawn(86)}=="),
    ("github-token", "git clone with {}\n", "ghp_" + drawn(36)),
    ("github-token", "token: {}\n", "github_pat_" + drawn(22) + "_" + drawn(59)),
    ("gitlab-token", "({})", "glpat-" + drawn(20)),
    ("slack-token", "<{}>", f"xoxb-123456789012-123456789012-{drawn(24)}"),
    ("stripe-access-key", "'{}'", "sk_live_" + drawn(99)),
    ("sendgrid-api-key", "'{}'", f"SG.{drawn(22)}.{drawn(43)}"),
    ("pypi-token", "'{}'", "pypi-AgEIcHlwaS5vcmc" + drawn(120)),
    ("square-oauth-secret", "'{}'", "sq0csp-" + drawn(43)),
    ("google-api-key", "key={}&", "AIza" + drawn(35)),
    ("hugging-face-token", "login {}\n", "hf_" + drawn(34)),
    ("npm-token", "//registry.npmjs.org/:_authToken={}\n", "npm_" + drawn(36)),
    ("groq-api-key", "{}", "gsk_" + drawn(52)),
    ("artifactory-credentials", "-u me:{}", "AKCp8" + drawn(68)),
    ("model-provider-key", "export K={}", "sk-proj-" + drawn(60) + "T3BlbkFJ" + drawn(60)),
    ("model-provider-key", "key '{}'", "sk-ant-api03-" + drawn(93) + "AA"),
    ("json-web-token", "cookie={};", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLW9mLWl0"),
    ("authorization-header", "Authorization: Bearer {}\n", drawn(30) + "7"),
    ("authorization-header", "curl -H 'authorization: Basic {}' x", "dXNlcjpwYTU1d29yZA=="),
    ("authorization-header", 'curl -H "x-api-key: {}"', drawn(31) + "7"),
    ("private-key", "Look:\n{}\nDone.", PEM),
    ("private-key", "Look:\n{}\nDone.", ENCRYPTED),
    ("private-key", "Look:\n{}\nDone.", PEM.replace("RSA PRIVATE KEY", "PGP PRIVATE KEY BLOCK")),
    ("private-key", 'key = "{}"', PEM.replace("\n", "\\n")),
    ("private-key", "the log breaks off: {}", PEM[:250]),
    ("url-password", "postgresql://bailey:{}@db.local:5432/ledger", "p4$$-w0rd+with%2Fall"),
    ("url-password", "redis://:{}@cache/0", "s3cr3t"),
    ("url-password", "amqp://guest2:{}@queue", "pa@ss"),
    ("assigned-secret", 'password = "{}"', "Xk93-pQ7zLm20vBt"),
    ("assigned-secret", '{{"api_key": "{}"}}', "550e8400-e29b-41d4-a716-446655440000"),
    ("assigned-secret", r"{{\"client_secret\": \"{}\"}}", drawn(40) + "7"),
    ("assigned-secret", "API_TOKEN: str = '{}'", "9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c"),
    ("assigned-secret", "PORT=8000\nDB_PASSWORD={}\nDEBUG=1", "hq83Lmx02nVbt61sPw"),
    ("assigned-secret", "docker run -e API_KEY={} image", "hq83Lmx02nVbt61sPw"),
]
DIGEST = hashlib.sha256(b"x").hexdigest()
NO_SECRETS = [
    "",
    f"sha256:{DIGEST} {DIGEST[:40]} {uuid.UUID(int=2**127)} tsk_0199f3c2d4 call_8sJ2kd93Ks ntry_{drawn(22)}",
    f'{{"hash": "{DIGEST}", "secret_hash": "{DIGEST}", "token_id": "{drawn(24)}", "key_version": "{drawn(24)}"}}',
    f'{{"input_digest": "{DIGEST}", "prompt_tokens": 17, "key": "{uuid.UUID(int=5)}"}}',
    "bly_short assembly_" + "line_" * 12,
    "password = os.environ['APP_PASSWORD_2024_PRODUCTION']; token = get_token(user_id_12345678)",
    "password='correct horse'; secret: SecretStr = Field(min_length=16); API_KEY = ''",
    'token = "test-token-12345678"; password = "password"; secret = "changeme-changeme"; key = "${SECRET_2A9F33B01C}"',
    "postgresql://user:{password}@host postgresql://user:${PASSWORD}@host redis://user:<password>@host",
    "postgresql://postgres:postgres@localhost/test mysql://root:***@db http://localhost:3000/@scope/package",
    "http://[::1]:8080/a@b git@github.com:owner/name.git ssh://git@host:22/x mailto:a@b",
    ".sk-folding-cube .sk-cube1:before { } task-0123456789abcdef0123 disk-usage-per-process-2024-report",
    "Bearer authentication is required. The bearer of this document. Authorization: Bearer <token>",
    "if line.startswith('-----BEGIN PRIVATE KEY-----'): raise ValueError('a private key')",
    "-----BEGIN CERTIFICATE-----\n" + BASE64_LINES + "\n-----END CERTIFICATE-----",
    "hf_hub_download(repo_id) npm_config_registry_of_the_organisation_we_work_for github_pat_ AKIA",
    "Bitte ändern Sie Ihr Passwort: es lautet nicht „Geheimnis“.",
]


@pytest.mark.parametrize(("kind", "around", "secret"), SECRETS)
def test_secrets_vanish_and_the_rest_stays(kind: str, around: str, secret: str) -> None:
    redaction = redact(around.format(secret))
    assert redaction.text == around.format(f"[redacted:{kind}]")
    assert redaction.kinds == (kind,)
    assert redact(redaction.text) == type(redaction)(redaction.text, ())


@pytest.mark.parametrize("text", NO_SECRETS)
def test_ordinary_text_stays(text: str) -> None:
    assert redact(text).kinds == ()
    assert redact(text).text == text
    assert redact_body(text.encode()) == text.encode()


def test_ordinary_python_and_its_diffs_stay() -> None:
    """The standard library: 150 files of code about urls, tokens, passwords and keys that holds none."""
    files = [path for name in ("", "asyncio", "email", "http", "json") for path in sorted(_library(name).glob("*.py"))]
    sources = [path.read_text(errors="surrogateescape") for path in files]
    assert len(sources) > 150
    found = {str(path): redact(source).kinds for path, source in zip(files, sources, strict=True)}
    assert {path: kinds for path, kinds in found.items() if kinds} == {}
    old = _library("http").joinpath("client.py").read_text().splitlines(keepends=True)
    diff = "".join(difflib.unified_diff(old, [line for line in old if len(line) % 7], "a/client.py", "b/client.py"))
    assert redact(diff).text == diff


def test_a_removed_private_key_vanishes_from_a_diff() -> None:
    diff = "".join(difflib.unified_diff(f"a\n{PEM}\nb\n".splitlines(keepends=True), ["a\n", "b\n"]))
    redaction = redact(diff)
    assert redaction.kinds == ("private-key",)
    assert not any(line in redaction.text for line in PEM.splitlines())


def test_kinds_are_named_once_and_sorted() -> None:
    text = " ".join(around.format(secret) for _, around, secret in SECRETS)
    kinds = redact(text).kinds
    assert kinds == tuple(sorted({kind for kind, _, _ in SECRETS}))
    assert {detector.kind for detector in detectors()} == set(kinds)


_FRAGMENTS = st.sampled_from(
    [secret for _, _, secret in SECRETS]
    + [around.split("{}")[0] for _, around, _ in SECRETS]
    + [*" \n\t\"'\\=:/@.-", "\\n", "-----END RSA PRIVATE KEY-----", "[redacted:url-password]", "token", "://a:b@"]
)


@settings(deadline=None, max_examples=150)
@example([PEM, SECRETS[0][2]])
@given(st.lists(_FRAGMENTS | st.text(max_size=5), max_size=12))
def test_redacting_twice_changes_nothing(fragments: list[str]) -> None:
    once = redact("".join(fragments)).text
    assert redact(once) == type(redact(""))(once, ())


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=60), st.binary(max_size=60))
def test_bytes_that_are_not_text_stay_around_a_secret(before: bytes, after: bytes) -> None:
    secret = SECRETS[0][2].encode()
    redacted = redact_body(before + b" " + secret + b" " + after)
    assert redacted == before + b" [redacted:bailey-key] " + after


def test_data_loses_secrets_in_values_keys_and_named_fields() -> None:
    secret = SECRETS[0][2]
    data: JsonValue = {
        "a": [secret, {"b": (f"x {secret}", 1.5, None, True)}],
        secret: secret,
        "GITHUB_TOKEN": "x",
        "tokens": 3,
    }
    assert redact_json(data) == {
        "a": ["[redacted:bailey-key]", {"b": ["x [redacted:bailey-key]", 1.5, None, True]}],
        "[redacted:bailey-key]": "[redacted:bailey-key]",
        "GITHUB_TOKEN": "[redacted:assigned-secret]",
        "tokens": 3,
    }


def test_names_of_fields_are_remembered_when_they_are_harmless_and_few(monkeypatch: pytest.MonkeyPatch) -> None:
    names: set[str] = set()
    monkeypatch.setattr(redaction, "_harmless_names", names)
    secret, long = SECRETS[0][2], "n" * 65
    data: JsonValue = {"prompt_tokens": 3, "said": secret, secret: 1, "password": "x", long: "y"}
    redacted = {
        "prompt_tokens": 3,
        "said": "[redacted:bailey-key]",
        "[redacted:bailey-key]": 1,
        "password": "[redacted:assigned-secret]",
        long: "y",
    }
    for _ in range(2):
        assert redact_json(data) == redacted
        assert names == {"prompt_tokens", "said"}
    most = 0
    for number in range(5000):
        redact_json({f"name{number}": 1})
        most = max(most, len(names))
    assert most == 1024
    assert redact_json(data) == redacted


@pytest.mark.parametrize(("kind", "around", "secret"), SECRETS)
def test_a_secret_is_found_in_long_text_as_in_short(kind: str, around: str, secret: str) -> None:
    rest = "\nordinary text" * 1000
    assert redact(around.format(secret) + rest).text == around.format(f"[redacted:{kind}]") + rest


def test_every_beginning_is_looked_for() -> None:
    for detector in detectors():
        for beginning in detector.beginnings:
            found = any_beginning().search(f"1{beginning}1")
            assert found is not None, beginning
            assert found.start() == 1, beginning
    assert any_beginning().search("g s hf x a- nothing of it: /") is None


def test_a_hundred_kilobytes_take_a_fraction_of_fifty_milliseconds() -> None:
    source = "".join(path.read_text() for path in sorted(_library("asyncio").glob("*.py")))[:100_000]
    redact(source)
    assert min(_cpu_seconds(source) for _ in range(5)) < 0.05


def test_text_written_to_be_slow_is_not() -> None:
    """16 KB that repeat what a pattern begins with: what is quadratic needs seconds for it."""
    beginnings = {beginning for detector in detectors() for beginning in detector.beginnings}
    repeated = [*beginnings, *(around.split("{}")[0] for _, around, _ in SECRETS)]
    for beginning in filter(None, repeated):
        for unit in (beginning, f"{beginning}=", f"{beginning}: '"):
            assert _cpu_seconds(unit * (16_000 // len(unit))) < 1, unit


def test_the_library_leaves_no_trace_in_the_process() -> None:
    code = """
import json, logging, sys, warnings
before = warnings.showwarning
import ledger.redaction
assert "detect_secrets" not in sys.modules
ledger.redaction.redact("x")
from detect_secrets.settings import get_settings
print(json.dumps([
    warnings.showwarning is before,
    logging.getLogger("detect-secrets").handlers + logging.getLogger().handlers,
    list(get_settings().plugins),
]))
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, check=True, capture_output=True, text=True)
    assert json.loads(done.stdout) == [True, [], []]


def _library(name: str) -> Path:
    return Path(json.__file__).parents[1] / name


def _cpu_seconds(text: str) -> float:
    began = time.process_time()
    redact(text)
    return time.process_time() - began
