"""Versions of a model as models.yaml declares them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from inference.catalog import HttpModel, LlamaCppModel, ModelSpec, ScriptedModel
from inference.versions import VersionProblem, declared, split_address, with_changes

MODEL: TypeAdapter[ModelSpec] = TypeAdapter(ModelSpec)
CODER: dict[str, Any] = {
    "name": "coder",
    "engine": "llama.cpp",
    "source": "path:/models/one.gguf",
    "sha256": "a" * 64,
    "tier": "standard",
    "context_tokens": 4096,
    "price": {"input_usd_per_million": 1},
    "threads": 8,
}


def coder(**more: Any) -> ModelSpec:
    return MODEL.validate_python({**CODER, **more})


def test_a_version_says_only_what_differs() -> None:
    model = coder(versions=[{"version": "v2", "source": "path:/models/two.gguf", "sha256": "b" * 64}])
    first, second = declared(model).values()
    assert first is model
    assert isinstance(second, LlamaCppModel)
    assert (second.name, second.version, second.source, second.threads) == ("coder", "v2", "path:/models/two.gguf", 8)
    assert (second.price, second.versions, second.canary) == (model.price, (), None)


def test_the_entry_itself_may_be_another_version() -> None:
    assert list(declared(coder(version="2026-07", versions=[{"version": "2026-08"}]))) == ["2026-07", "2026-08"]


def test_a_version_may_run_on_another_engine() -> None:
    second = with_changes(coder(), "v2", {"engine": "http", "url": "http://10.0.0.1/v1", "location": "local"})
    assert isinstance(second, HttpModel)
    assert (second.name, second.tier, second.price) == ("coder", "standard", coder().price)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"tier": "premium"}, "changes tier, which all versions of a model have in common"),
        ({"data_classes": ["public"]}, "changes data_classes"),
        ({"canary": {"version": "v3", "percent": 1}}, "changes canary"),
        ({"sourc": "path:/x"}, "unknown key 'sourc'; valid keys: price"),
        ({"source": "two.gguf"}, "source: String should match pattern"),
        ({"engine": "llama"}, "has engine 'llama'; valid engines: llama.cpp, vllm, http, scripted"),
        ({"engine": "http", "url": "https://x/v1"}, "is outside the walls and 'coder' is inside"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(VersionProblem) as refused:
        with_changes(coder(), "v2", changes)
    assert "version 'v2' of model 'coder'" in str(refused.value)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"versions": [{"version": "v1"}]}, "version 'v1' of model 'coder' is declared twice"),
        ({"versions": [{"version": "v2"}, {"version": "v2"}]}, "declared twice"),
        ({"canary": {"version": "v2", "percent": 10}}, r"which is not one of its `versions:` (none)"),
        ({"canary": {"version": "v1", "percent": 10}, "versions": [{"version": "v2"}]}, "(v2)"),
    ],
)
def test_declarations_are_checked_against_each_other(keys: dict[str, Any], sentence: str) -> None:
    with pytest.raises(VersionProblem) as refused:
        declared(coder(**keys))
    assert sentence in str(refused.value)


@pytest.mark.parametrize("version", ["", "v 2", "v@2", "-v2", "v/2", "x" * 61])
def test_names_of_versions_are_plain(version: str) -> None:
    with pytest.raises(ValidationError):
        coder(version=version)


def test_no_model_may_look_like_a_version_of_another() -> None:
    with pytest.raises(ValidationError):
        coder(name="coder@v2")
    assert split_address("coder@v2") == ("coder", "v2")
    assert split_address("coder") == ("coder", None)


def test_a_scripted_version_has_a_script_of_its_own() -> None:
    scripted = {key: CODER[key] for key in ("name", "tier", "context_tokens")} | {"engine": "scripted"}
    model = MODEL.validate_python({**scripted, "replies": [{"text": "one"}]})
    second = with_changes(model, "v2", {"replies": [{"text": "two"}]})
    assert isinstance(second, ScriptedModel)
    assert [reply.text for reply in second.replies] == ["two"]
