"""The versions of a model as a fold of ledger entries over what models.yaml declares."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any

from ledger.protocol import GENESIS_HASH, Entry
from router.versions.state import Declaration, Rollout, among, decision_key, fold, with_declaration


class Story:
    """Entries about the model coder, one after the other."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._seq = count(1)

    def tell(self, kind: str, actor: str = "grace", model: str = "coder", **facts: Any) -> Story:
        whole = kind if "." in kind else f"version.{kind}"
        self.entries.append(
            Entry(
                seq=next(self._seq), time=datetime(2026, 1, 1, tzinfo=UTC), stream="models", type=whole,
                actor=actor, tenant="default", cause=None, data={"model": model, **facts}, input_digest=None,
                output_digest=None, cost_usd=Decimal(0), key=None, previous_hash=GENESIS_HASH, hash=GENESIS_HASH,
            )
        )  # fmt: skip
        return self

    def declared(self, version: str, canary: tuple[str, float] | None = None) -> Story:
        facts: dict[str, Any] = Declaration(version, canary).facts()
        return self.tell("declared", "models.yaml", **facts)

    def rolled_back(self, version: str, to: str) -> Story:
        return self.tell("rolled_back", version=version, to=to, reason="errors: 9 of 9", evidence=None)

    def promoted(self, version: str) -> Story:
        return self.tell("promoted", version=version, replaces="", evidence=None)

    @property
    def state(self) -> Rollout:
        return fold("coder", "v1", self.entries)


def test_without_entries_the_file_holds() -> None:
    state = Story().state
    assert (state.stable, state.canary, state.serving, state.next_key) == (
        "v1",
        None,
        ("v1",),
        decision_key("coder", 1),
    )


def test_canary_then_promotion_then_the_way_back() -> None:
    story = Story().declared("v1").tell("added", version="v2", changes={"source": "path:/x"})
    assert story.state.added == {"v2": {"source": "path:/x"}}
    story.tell("canary", version="v2", percent=10)
    assert story.state.serving == ("v1", "v2")
    story.promoted("v2")
    assert (story.state.stable, story.state.canary, story.state.replaced) == ("v2", None, ("v1",))
    story.promoted("v3").rolled_back("v3", "v2")
    assert (story.state.stable, story.state.replaced) == ("v2", ("v1",))
    story.rolled_back("v2", "v1")
    assert (story.state.stable, story.state.replaced) == ("v1", ())
    assert story.state.said["v2"] == "rolled back by grace: errors: 9 of 9"
    assert story.state.decisions == len(story.entries)


def test_a_changed_share_goes_on_with_the_trial_and_another_canary_begins_a_new_one() -> None:
    story = Story().declared("v1").tell("canary", version="v2", percent=10)
    story.tell("observed", since=2, counts={"kept": 1})
    first = story.state.canary
    story.tell("canary", "linus", version="v2", percent=30)
    again = story.state.canary
    assert first and again
    assert (again.since, again.percent, story.state.counts) == (first.since, 30, {"kept": 1})
    story.rolled_back("v2", "v1").tell("canary", version="v2", percent=10)
    assert story.state.canary and story.state.canary.since == 6
    assert story.state.counts is None


def test_figures_of_a_trial_that_has_ended_are_not_taken_over() -> None:
    story = Story().declared("v1").tell("canary", version="v2", percent=10).rolled_back("v2", "v1")
    story.tell("canary", version="v3", percent=10).tell("observed", since=2, counts={"old": 1})
    assert story.state.counts is None


def test_a_declared_canary_that_was_rolled_back_stays_so_until_the_file_says_something_else() -> None:
    story = Story().declared("v1", ("v2", 10.0)).rolled_back("v2", "v1")
    assert story.state.canary is None
    same = with_declaration(story.state, Declaration("v1", ("v2", 10.0)), 9, "models.yaml")
    assert same.canary is None
    story.declared("v1", ("v2", 5.0))
    assert story.state.canary and story.state.canary.percent == 5


def test_a_canary_that_the_file_drops_ends_and_one_from_the_command_line_does_not() -> None:
    assert Story().declared("v1", ("v2", 10.0)).declared("v1").state.canary is None
    story = Story().declared("v1", ("v2", 10.0)).rolled_back("v2", "v1").tell("canary", version="v3", percent=1)
    assert story.declared("v1").state.serving == ("v1", "v3")


def test_another_version_of_the_entry_itself_is_a_word_of_the_file() -> None:
    story = Story().declared("v1").promoted("v2").declared("v3")
    assert (story.state.stable, story.state.replaced) == ("v3", ("v1", "v2"))


def test_a_promoted_version_stays_when_the_file_says_what_it_said() -> None:
    story = Story().declared("v1").promoted("v2")
    assert with_declaration(story.state, Declaration("v1"), 9, "models.yaml").stable == "v2"


def test_a_declared_canary_that_has_been_promoted_is_no_canary_of_itself() -> None:
    story = Story().declared("v1", ("v2", 10.0)).promoted("v2").declared("v1", ("v2", 20.0))
    assert story.state.serving == ("v2",)


def test_entries_of_other_models_and_of_unknown_kinds_change_nothing() -> None:
    story = Story().tell("canary", model="other", version="v2", percent=10).tell("dreamt", version="v2")
    assert story.state == Rollout("coder", "v1")


def test_versions_that_are_not_there_any_more_answer_nobody() -> None:
    state = Story().declared("v1").promoted("v2").promoted("v3").tell("canary", version="v4", percent=10).state
    everything = among(state, ["v1", "v2", "v3", "v4"], "v1")
    assert everything == state
    without_v3 = among(state, ["v1", "v2", "v4"], "v1")
    assert (without_v3.stable, without_v3.replaced, without_v3.serving) == ("v2", ("v1",), ("v2", "v4"))
    assert among(state, [], "v1").serving == ("v1",)
