"""Out of the ledger come outcomes of answers that were tested, and nothing else; an artefact goes in and out again."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from inference.collect import complete
from inference.errors import EngineUnavailable
from inference.protocol import Caller, ChatRequest, Message
from inference.verification import Checking
from ledger.protocol import Draft, JsonValue
from ledger.sql_ledger import SqlLedger
from router.estimates.artefact import UnknownArtefact
from router.estimates.estimator import Estimator
from router.estimates.features import featurize, of_request
from router.estimates.learning import ESTIMATES_STREAM, TRAINED, audited, keep, newest
from router.estimates.outcome import Context, InfrastructureFailure, Outcome
from router.estimates.training import TrainingSpec, train
from router.record import call_key
from router.router import Router
from router.verified import VERIFIED_STREAM, verified_key
from tests.router.conftest import rules, scripted
from tests.router.estimates.made import outcomes
from tests.router.test_calls import Broken

REQUEST = ChatRequest(
    "auto", (Message("system", "Be brief"), Message("user", "Sort a list")), caller=Caller("default", "ada", "internal")
)


async def verify(ledger: SqlLedger, request_id: str, passed: bool, **facts: str) -> None:
    data: dict[str, JsonValue] = {"request_id": request_id, "passed": passed, **facts}
    await ledger.append(Draft(VERIFIED_STREAM, "call.verified", "ada", data=data, key=verified_key(request_id)))


async def test_an_answer_that_was_tested_is_an_outcome_of_its_request(router: Router, ledger: SqlLedger) -> None:
    await complete(router, replace(REQUEST, request_id="one", checking=Checking("acceptance")))
    await complete(router, replace(REQUEST, request_id="two", tried=("small",)))
    await verify(ledger, "one", False, level="tests", failed_at="lint")
    await verify(ledger, "two", True, level="tests")
    weak, strong = await audited(ledger)
    assert isinstance(weak, Outcome)
    assert isinstance(strong, Outcome)
    assert (weak.model, weak.passed, weak.context) == ("small", False, Context("acceptance", "default"))
    assert (strong.model, strong.passed, strong.context) == ("middle", True, Context("", "default"))
    assert weak.features.digest == strong.features.digest == of_request(REQUEST).digest
    assert (weak.failed_at, strong.failed_at) == ("lint", "")
    assert 0 < weak.cost_usd < strong.cost_usd
    assert weak.seconds >= 0
    assert weak.version
    assert train([weak, strong], TrainingSpec()).prior.seen(("small", "middle")) == pytest.approx(1)


async def test_answers_without_tests_and_calls_that_nobody_knows_are_none(router: Router, ledger: SqlLedger) -> None:
    for request_id, level in (("one", "checks"), ("two", "schema"), ("three", "")):
        await complete(router, replace(REQUEST, request_id=request_id))
        await verify(ledger, request_id, True, level=level)
    await complete(router, replace(REQUEST, request_id="four"))
    await verify(ledger, "five", True, level="tests")
    assert await audited(ledger) == []


async def test_which_draw_an_answer_was_is_known_from_its_request(router: Router, ledger: SqlLedger) -> None:
    for draw in (1, 2):
        again = "small" if draw > 1 else ""
        await complete(router, replace(REQUEST, request_id=f"{draw}", checking=Checking("tests", draw, again)))
        await verify(ledger, f"{draw}", draw == 2, level="tests")
    first, second = await audited(ledger)
    assert isinstance(first, Outcome)
    assert isinstance(second, Outcome)
    assert (first.draw, second.draw) == (1, 2)
    assert first.features.digest == second.features.digest
    prior = train([first, second], TrainingSpec()).prior
    assert (prior.seen(("", "small")), prior.seen(("small", "small"))) == pytest.approx((1, 1), abs=1e-3)


async def test_a_request_of_an_older_record_still_teaches(router: Router, ledger: SqlLedger) -> None:
    """Before `checking` said how, a field `checked` said that an answer would be checked."""
    await complete(router, replace(REQUEST, request_id="one"))
    (call,) = await ledger.read(stream="calls")
    older = {**json.loads(await ledger.get_body(str(call.input_digest))), "checked": True}
    del older["checking"]
    digest = await ledger.put_body(json.dumps(older).encode())
    await ledger.append(Draft("calls", call.type, "ada", data={**call.data}, input_digest=digest, key=call_key("two")))
    await verify(ledger, "two", True, level="tests")
    (outcome,) = await audited(ledger)
    assert isinstance(outcome, Outcome)
    assert outcome.context == Context("", "default")


async def test_a_machine_that_failed_is_another_event(ledger: SqlLedger) -> None:
    engines = {"small": Broken(scripted("small"), after_chunks=0)}
    router = Router(rules(), engines, ledger, ledger)  # type: ignore[arg-type]
    with pytest.raises(EngineUnavailable):
        await complete(router, replace(REQUEST, model="small"))
    (failure,) = await audited(ledger)
    assert failure == InfrastructureFailure("small", (await ledger.read(stream="calls"))[0].time)


async def test_the_artefact_that_was_kept_last_is_the_newest(ledger: SqlLedger) -> None:
    assert await newest(ledger) is None
    await keep(ledger, train([], TrainingSpec()), "ada")
    artefact = train(outcomes(120), TrainingSpec())
    entry = await keep(ledger, artefact, "ada")
    assert (await keep(ledger, artefact, "bob")).seq == entry.seq
    assert entry.data["requests"] == 120
    read = await newest(ledger)
    assert read is not None
    assert read.digest == artefact.digest == entry.output_digest
    features = featurize("a compiler for a scheduler")
    one, other = (Estimator(each).estimate(features, ("small", "large")) for each in (read, artefact))
    assert dict(one) == dict(other)
    assert (await ledger.verify()).ok


async def test_an_artefact_that_cannot_be_used_is_not_half_used(ledger: SqlLedger) -> None:
    digest = await ledger.put_body(b"bailey-estimates/0\n")
    await ledger.append(Draft(ESTIMATES_STREAM, TRAINED, "ada", data={"learnt_from": [""]}, output_digest=digest))
    with pytest.raises(UnknownArtefact, match="begin with b'bailey-estimates/0'"):
        await newest(ledger)
