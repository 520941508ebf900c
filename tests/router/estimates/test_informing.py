"""No class informs another unless it says so; traffic without a class informs all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ledger.sql_ledger import SqlLedger
from router.estimates.informing import informed_by
from router.estimates.learning import keep, newest
from router.estimates.training import TrainingSpec, train
from tests.router.estimates.made import outcomes
from tests.router.test_workloads import workload

NAMES = ("a", "b", "c")


def test_by_default_a_class_learns_from_itself_and_from_traffic_without_a_class() -> None:
    declared = {name: workload(name) for name in NAMES}
    assert informed_by(declared) == {"": ("",), "a": ("", "a"), "b": ("", "b"), "c": ("", "c")}
    assert informed_by({}) == {"": ("",)}


def test_whose_outcomes_they_are_says_whom_they_inform() -> None:
    declared = {"a": workload("a", informs=["b"]), "b": workload("b"), "c": workload("c", informs=["*"])}
    assert informed_by(declared) == {"": ("", "c"), "a": ("", "a", "c"), "b": ("", "a", "b", "c"), "c": ("", "c")}


@given(st.fixed_dictionaries({name: st.lists(st.sampled_from([*NAMES, "*"]), max_size=3) for name in NAMES}))
def test_nothing_is_learnt_from_a_class_that_does_not_say_so(informs: dict[str, list[str]]) -> None:
    found = informed_by({name: workload(name, informs=theirs) for name, theirs in informs.items()})
    for learner, sources in found.items():
        for other in {*sources} - {"", learner}:
            assert {learner, "*"} & {*informs[other]}


async def test_what_was_learnt_from_others_is_not_taken_for_ones_own(ledger: SqlLedger) -> None:
    empty, full = train([], TrainingSpec()), train(outcomes(5), TrainingSpec())
    await keep(ledger, full, "ada", ("", "a"))
    assert await newest(ledger) is None
    assert await newest(ledger, ("", "b")) is None
    await keep(ledger, empty, "ada", ("", "b"))
    await keep(ledger, empty, "ada")  # the same artefact of other sources
    for sources, artefact in ((("", "a"), full), (("", "b"), empty), (("",), empty)):
        found = await newest(ledger, sources)
        assert found is not None
        assert found.digest == artefact.digest
