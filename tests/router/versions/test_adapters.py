"""Adapters of versions: what the file and the ledger say together, and which version is asked for one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from inference.adapters import digest_with, split_adapter
from inference.catalog import Catalog, VllmModel
from inference.errors import ModelNotFound
from inference.protocol import ChatRequest
from inference.versions import declared
from router.decide import Decider, Rules
from router.spec import RouteSpec
from router.standing import Standing
from router.versions.adapters import Attached, advanced, reconciled
from router.versions.state import Canary, Declaration, Rollout, fold, with_declaration
from router.versions.versions import Answered, Versions
from tests.router.conftest import TENANTS
from tests.router.versions.test_state import Story

CODER: dict[str, Any] = {
    "name": "coder",
    "engine": "vllm",
    "tier": "draft",
    "source": "path:/coder",
    "context_tokens": 1000,
    "placement": {"lora": {"adapters": {"sql": "path:/sql", "both": "path:/both"}}},
    "versions": [{"version": "v2", "placement": {"lora": {"adapters": {"both": "path:/b2", "new": "path:/new"}}}}],
    "cpu_fallback": "small",
}
SMALL = {"engine": "llama.cpp", "tier": "draft", "source": "path:/small.gguf", "context_tokens": 1000}
CATALOG = Catalog.model_validate(
    {"tiers": ["draft"], "models": [CODER, {**SMALL, "name": "small"}, {**SMALL, "name": "a:b"}]}
)


def decider(canary: float | None = None) -> Decider:
    """Among coder v1 and, with a canary's share, v2."""
    versions, coder = Versions(CATALOG), CATALOG.models[0]
    on_trial = Canary("v2", canary, 1, "grace") if canary is not None else None
    versions.adopt(Rollout("coder", "v1", canary=on_trial), declared(coder))
    routes = {"auto": RouteSpec(name="auto", models=("coder",))}
    tenants = {**TENANTS, "sql": TENANTS["narrow"].model_copy(update={"models": ("coder:sql",)})}
    return Decider(Rules(CATALOG, routes, tenants, False), versions, Standing(lambda: datetime.now(UTC)))


def asked(model: str, tenant: str = "default") -> ChatRequest:
    request = ChatRequest(model, prompt="Which?")
    return replace(request, caller=replace(request.caller, tenant=tenant))


def answering(decides: Decider, model: str) -> list[tuple[str, str]]:
    route = decides.decide(asked(model))
    return [(candidate.version, route.answers_as(candidate)) for candidate in route.candidates]


def test_an_adapter_is_asked_of_its_model_alone() -> None:
    route = decider().decide(asked("coder:sql"))
    assert [(model.name, route.answers_as(model)) for model in route.candidates] == [("coder", "coder:sql")]
    assert route.line(route.candidates[0]).startswith("model=coder:sql; ")
    plain = decider().decide(asked("coder"))
    assert [model.name for model in plain.candidates] == ["coder", "small"]  # its fallback has no adapter


def test_the_version_that_answers_is_asked_if_it_has_the_adapter() -> None:
    decides = decider(canary=100)
    assert answering(decides, "coder:both") == [("v2", "coder:both"), ("v1", "coder:both")]
    assert answering(decides, "coder:sql") == [("v1", "coder:sql")]  # v2 has none of that name
    assert answering(decides, "coder@v2:new") == [("v2", "coder:new")]
    for name, there in {"coder:new": "coder:sql, coder:both", "coder@v2:sql": "coder@v2:both, coder@v2:new"}.items():
        with pytest.raises(ModelNotFound, match=f"its adapters: {there}"):
            decides.decide(asked(name))


@pytest.mark.parametrize("name", ["small:sql", "auto:sql", "a:b:sql", "nobody:sql", "coder@v9:sql", "coder:", ":sql"])
def test_what_is_no_adapter_is_not_found(name: str) -> None:
    with pytest.raises(ModelNotFound, match=r"There is no model|its adapters: none"):
        decider().decide(asked(name))
    assert [model.name for model in decider().decide(asked("a:b")).candidates] == ["a:b"]


def test_a_tenant_may_have_one_adapter_alone() -> None:
    decides = decider(canary=0)
    for name in ("coder:sql", "coder@v1:sql"):
        assert decides.decide(asked(name, "sql")).adapter == "sql"
    for name in ("coder", "coder:both", "coder@v1", "small", "small:sql"):
        with pytest.raises(ModelNotFound, match="may not use model"):
            decides.decide(asked(name, "sql"))


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("coder", ("coder", "")),
        ("coder:sql", ("coder", "sql")),
        ("coder@v2:sql", ("coder@v2", "sql")),
        ("a:b:sql", ("a:b", "sql")),
        ("a:b@v2", ("a:b@v2", "")),
        ("coder:", ("coder:", "")),
    ],
)
def test_names_are_taken_apart(name: str, parts: tuple[str, str]) -> None:
    assert split_adapter(name) == parts


def adapters(state: Rollout, version: str = "v1") -> Mapping[str, str]:
    spec = reconciled(declared(CATALOG.models[0])[version], state.adapters.get(version, {}))
    assert isinstance(spec, VllmModel) and spec.placement.lora
    return spec.placement.lora.adapters


def loaded(story: Story, adapter: str, source: str) -> Story:
    kind, facts = "adapter.loaded", {"version": "v1", "adapter": adapter, "source": source, "digest": "d"}
    return story.tell(kind, **facts)


def test_the_last_word_on_an_adapter_counts_wherever_it_came_from() -> None:
    base = Declaration.of(CATALOG.models[0])
    assert Declaration.from_facts(base.facts()) == base
    facts: dict[str, Any] = base.facts()
    story = Story().tell("declared", "models.yaml", **facts)
    loaded(story, "red", "path:/red")
    story.tell("adapter.unloaded", version="v1", adapter="sql")
    state = story.state
    assert state.adapters["v1"] == {"red": Attached("path:/red", "d", "grace"), "sql": None}
    assert adapters(state) == {"both": "path:/both", "red": "path:/red"}
    assert adapters(state, "v2") == {"both": "path:/b2", "new": "path:/new"}
    again = with_declaration(state, base, 9, "models.yaml")
    assert again.adapters == state.adapters
    moved = replace(base, adapters={**base.adapters, "v1": {"sql": "path:/sql2", "both": "path:/both"}})
    after = with_declaration(state, moved, 9, "models.yaml")
    assert after.adapters["v1"] == {"red": Attached("path:/red", "d", "grace")}


def test_an_entry_from_before_there_were_adapters_says_nothing_of_them() -> None:
    state = fold("coder", "v1", Story().tell("declared", "models.yaml", version="v1", canary=None).entries)
    assert (state.declared, state.adapters) == (Declaration("v1"), {})


def test_a_version_that_takes_no_adapters_any_more_gets_none() -> None:
    decided = advanced({}, "v1", "red", Attached("path:/red", "d", "grace"))["v1"]
    bare = VllmModel.model_validate({**CODER, "placement": {}, "versions": []})
    assert reconciled(bare, decided) == bare
    assert reconciled(CATALOG.models[1], decided) == CATALOG.models[1]


def test_answers_of_adapters_count_in_no_trial() -> None:
    versions, coder = Versions(CATALOG), declared(CATALOG.models[0])
    versions.adopt(Rollout("coder", "v1", canary=Canary("v2", 100, 1, "grace")), coder)
    trial = versions.trial("coder")
    assert trial
    versions.observed(coder["v2"], asked("coder:both"), Answered(failed=True), "both")
    assert trial.canary["errors"].seen == 0
    versions.observed(coder["v2"], asked("coder"), Answered(failed=True))
    assert trial.canary["errors"].seen == 1


def test_the_digest_of_an_answer_is_that_of_model_and_adapter() -> None:
    versions, coder = Versions(CATALOG), CATALOG.models[0]
    versions.weigh("coder", "m" * 64)
    assert versions.weights(coder, "sql") is None
    versions.weigh("coder:sql", "a" * 64)
    assert versions.weights(coder, "sql") == digest_with("m" * 64, "a" * 64)
    assert versions.weights(coder) == "m" * 64
