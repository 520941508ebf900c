"""models.yaml: every mistake is named with its line, its key and the valid keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.config import Config, load_config, load_sandbox, parse_config
from gateway.config_errors import ConfigError

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "models.yaml").read_text()


def problem(old: str, new: str) -> str:
    """The message for models.yaml with one mistake in it."""
    assert old in TEXT
    with pytest.raises(ConfigError) as refused:
        parse_config(TEXT.replace(old, new, 1), Path("models.yaml"))
    return str(refused.value)


def line_of(text: str) -> int:
    return TEXT[: TEXT.index(text)].count("\n") + 1


def test_the_shipped_file_is_valid() -> None:
    config = load_config(ROOT / "models.yaml")
    assert [model.name for model in config.models] == ["pico-coder", "nano-coder"]
    assert not any(model.remote for model in config.models)


def test_an_unknown_key_is_refused_with_the_valid_ones_and_the_nearest() -> None:
    said = problem("  slots: 4", "  slotz: 4")
    assert said.startswith(f"models.yaml:{line_of('  slots: 4')}: sandbox.slotz: unknown key; did you mean 'slots'?")
    assert "Valid keys: collect_files, collect_mib," in said


def test_the_keys_of_an_entry_depend_on_its_engine() -> None:
    said = problem("    tier: draft\n", "    tier: draft\n    url: http://example.com/v1\n")
    assert "models[0].url: unknown key" in said
    assert "gpu_layers" in said
    assert "api_key_env" not in said


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("    tier: draft\n", "", "models[0].tier: this key is missing"),
        ("    tier: draft\n", "    tier: draught\n", "tier 'draught'; valid tiers: draft, standard, premium"),
        (
            "window: month}",
            "window: month}\n    weight: 0",
            "tenants[0].weight: Input should be greater than or equal to 0.1",
        ),
        ("window: month", "window: week", "tenants[0].budget.window: Input should be 'day', 'month' or 'total'"),
        (
            "models: [pico-coder, nano-coder]",
            "models: [pico-coder, nan]",
            "names model 'nan'; declared: pico-coder",
        ),
        ("name: nano-coder", "name: pico-coder", "declared twice: pico-coder"),
        ("name: auto", "name: pico-coder", "'pico-coder' is declared twice among models and routes"),
        ("data_class: internal", "data_class: secret", "data class 'secret'; valid: public, internal, confidential"),
        ("embedder: pico-coder", "embedder: nano-coder", "no declared model with capability embeddings"),
        ("- name: default", "- name: default\n    models: [auto]", "may not use retrieval.embedder 'pico-coder'"),
        ("version: 1", "version: 2", "version: Input should be 1"),
        ("engine: llama.cpp", "engine: llama", "'llama.cpp', 'vllm', 'http', 'scripted'"),
        ("thresholds: [0.6]", "thresholds: [0.6, 0.2]", "thresholds must ascend"),
        ("air_gapped: false", "air_gapped: false\nair_gapped: true", "air_gapped: this key stands twice"),
        ("slots: 4", "slots: [4", "not valid YAML"),
        ("source: bundled:pico-coder", "source: pico-coder", "models[0].source"),
        ("tiers: [draft,", "tiers: [draft, draft,", "tiers: each may stand here once, because the order counts"),
        ("data_classes: [public,", "data_classes: [public, public,", "found twice: public"),
        ("limit_usd: 10,", "limit_usd: 1.0e+12,", "tenants[0].budget.limit_usd: Input should be less than or equal to"),
        ("limit_usd: 10,", "limit_usd: .inf,", "tenants[0].budget.limit_usd: Input should be a finite number"),
        ("input_usd_per_million: 0.02", "input_usd_per_million: 1.0e+30", "should be less than or equal to 1000000"),
        ("context_tokens: 1024", "context_tokens: 1000000000000", "should be less than or equal to 10000000"),
        ("tenants:", "workloads: [{name: a, informs: [b]}]\ntenants:", "workload 'a' informs 'b'; declared: a"),
        ("tenants:", "workloads: [{name: a, retention_days: 0}]\ntenants:", "greater than or equal to 1"),
        (
            "tenants:",
            "ledger: {retention_days: 0.5}\ntenants:",
            "ledger.retention_days: Input should be a valid integer",
        ),
    ],
)
def test_other_mistakes(old: str, new: str, expected: str) -> None:
    assert expected in problem(old, new)


def test_an_adapter_takes_no_name_that_is_declared_and_a_tenant_may_name_one() -> None:
    coder = (
        "models:\n  - {name: coder, engine: vllm, tier: draft, source: path:/coder, context_tokens: 512,\n"
        '     placement: {lora: {adapters: {sql: "path:/sql"}}}}\n'
    )
    taken = coder + "  - {name: coder:sql, engine: scripted, tier: draft, context_tokens: 512, replies: []}\n"
    assert "an adapter of model 'coder' takes the name 'coder:sql'" in problem("models:\n", taken)
    text = TEXT.replace("models:\n", coder, 1)
    named = text.replace("- name: default", "- name: default\n    models: [pico-coder, coder:sql, coder:later]")
    assert parse_config(named, Path("models.yaml"))
    assert "names model 'pico-coder:sql'" in problem(
        "- name: default", "- name: default\n    models: [pico-coder, pico-coder:sql]"
    )


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words"])
def test_what_is_no_mapping(text: str) -> None:
    with pytest.raises(ConfigError, match="must be a mapping"):
        parse_config(text, Path("models.yaml"))


LAUGHS = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 40))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"l0: &l0 ha\n{LAUGHS}", "models.yaml:2: not valid YAML: the alias *l0 is not allowed"),
        ("&a {b: *a}", "models.yaml:1: not valid YAML: the alias *a is not allowed"),
        ("[" * 100_000, "not valid YAML: it is nested too deeply"),
        (
            "a: 1\nversion: 2024-13-45",
            "models.yaml:2: not valid YAML: the value cannot be read (month",
        ),
        ("version: " + "9" * 5_000, "models.yaml:1: not valid YAML: the value cannot be read"),
        ("version: \x00", "not valid YAML"),
        ("{[a]: b}", "not valid YAML"),
        ("{1: a, null: b, 2020-01-01: c, true: d}", "Keys should be strings"),
    ],
    ids=["laughs", "itself", "deep", "date", "number", "control", "list as key", "keys that are no text"],
)
def test_what_yaml_can_do_and_a_configuration_may_not(text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_config(text, Path("models.yaml"))
    assert expected in str(refused.value)


def test_all_problems_are_told_at_once_in_the_order_of_the_file() -> None:
    broken = TEXT.replace("slots: 4", "slotz: 4").replace("    tier: draft\n", "    teir: draft\n", 1)
    with pytest.raises(ConfigError) as refused:
        parse_config(broken, Path("models.yaml"))
    lines = [found.line or 0 for found in refused.value.problems]
    assert len(lines) == 3
    assert lines == sorted(lines)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("versions: [{version: v2, tier: premium}]", "changes tier, which all versions of a model have in common"),
        ("versions: [{version: v2, thread: 3}]", "version 'v2' of model 'nano-coder': unknown key 'thread'"),
        ("versions: [{source: path:/x}]", "models[1].versions[0].version: this key is missing"),
        ("canary: {version: v2, percent: 10}", "the canary of model 'nano-coder' is version 'v2', which is not one"),
        ("canary: {version: v2, percent: 110}", "canary.percent: Input should be less than or equal to 100"),
        ("rollback: {error: 0.1}", "unknown key; did you mean 'errors'? Valid keys: confidence, errors"),
    ],
)
def test_versions_are_checked_with_the_file(keys: str, expected: str) -> None:
    text = TEXT.replace("  - name: nano-coder\n", f"  - name: nano-coder\n    {keys}\n", 1)
    assert text != TEXT
    with pytest.raises(ConfigError) as refused:
        parse_config(text, Path("models.yaml"))
    assert expected in str(refused.value)


def test_what_embeds_has_no_versions_and_no_version_takes_the_name_of_a_model() -> None:
    embedder = TEXT.replace("  - name: pico-coder\n", "  - name: pico-coder\n    versions: [{version: v2}]\n", 1)
    with pytest.raises(ConfigError, match="vectors of two versions cannot be compared"):
        parse_config(embedder, Path("models.yaml"))
    versions = "  - name: nano-coder\n    versions: [{version: v2}]\n"
    named = TEXT.replace("  - name: nano-coder\n", versions, 1).replace("pico-coder", "nano-coder--v2")
    with pytest.raises(ConfigError, match="takes the name 'nano-coder--v2', which is declared too"):
        parse_config(named, Path("models.yaml"))


def test_the_schema_describes_every_key() -> None:
    schema = json.dumps(Config.model_json_schema())
    for key in ("attempts_per_tier", "x-nothing", "input_usd_per_million", "minimum_tier", "repositories"):
        assert (f'"{key}"' in schema) is (key != "x-nothing")


def test_stricter_takes_the_more_sensitive_class() -> None:
    config = load_config(ROOT / "models.yaml")
    assert config.stricter("public", "internal") == "internal"
    assert config.stricter("confidential", "internal") == "confidential"


def test_a_host_that_only_runs_commands_needs_only_its_section(tmp_path: Path) -> None:
    """A file with other sections is held to all of them."""
    file = tmp_path / "models.yaml"
    file.write_text("version: 1\nsandbox: {slots: 7}\n")
    assert load_sandbox(file).slots == 7
    file.write_text(TEXT)
    assert load_sandbox(file) == load_config(file).sandbox
    for text, expected in (
        ("version: 1\nsandbox: {slotz: 7}\n", ":2: sandbox.slotz: unknown key; did you mean 'slots'?"),
        ("version: 1\nsandbox: {}\ntenant: []\n", ":3: tenant: unknown key; did you mean 'tenants'?"),
        ("sandbox: {}\n", "version: this key is missing"),
    ):
        file.write_text(text)
        with pytest.raises(ConfigError) as refused:
            load_sandbox(file)
        assert expected in str(refused.value)
