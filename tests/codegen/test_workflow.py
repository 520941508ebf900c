"""What becomes of a task: what may be merged, what it may cost, and who sees what of it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from gateway.assemble import Appliance
from tests.codegen.conftest import commit_files, git, has_change
from tests.codegen.running import GRACE, TESTS, ended, submit, until, waiting


async def test_what_fails_on_the_branch_as_it_is_now_is_not_merged(
    appliance: Appliance, checkout: Path, bare: Path
) -> None:
    """Since the task began the branch has gained a test that passes there and fails with the change."""
    task_id = await waiting(appliance, bare)
    against = "from textkit import words\n\n\ndef test_quiet():\n    assert not hasattr(words, 'whisper')\n"
    commit_files(checkout, {"tests/test_quiet.py": against}, "Be quiet")
    git(checkout, "push", "--quiet", str(bare), "main")
    await appliance.tasks.approve(task_id, GRACE)
    state = await ended(appliance, task_id)
    assert (state.status, "test_quiet" in state.reason) == ("failed", True)
    assert not has_change(bare)


async def test_a_change_that_the_branch_has_moved_elsewhere_is_not_merged(
    appliance: Appliance, checkout: Path, bare: Path
) -> None:
    """Git would follow the rename, into a file that the task may not change."""
    task_id = await waiting(appliance, bare)
    git(checkout, "mv", "textkit/words.py", "textkit/text.py")
    commit_files(checkout, {"textkit/__init__.py": "from textkit import text as words\n"}, "Rename")
    git(checkout, "push", "--quiet", str(bare), "main")
    await appliance.tasks.approve(task_id, GRACE)
    state = await ended(appliance, task_id)
    assert (state.status, "textkit/text.py" in state.reason) == ("failed", True)


async def test_newer_changes_that_do_not_matter_do_not_stop_a_merge(
    appliance: Appliance, checkout: Path, bare: Path
) -> None:
    task_id = await waiting(appliance, bare)
    commit_files(checkout, {"README.md": "Words.\n"}, "Say what it is")
    git(checkout, "push", "--quiet", str(bare), "main")
    await appliance.tasks.approve(task_id, GRACE)
    assert (await ended(appliance, task_id)).status == "merged"
    assert has_change(bare)


async def test_where_policy_asks_nobody_its_word_is_the_decision(
    appliance: Appliance, checkout: Path, bare: Path
) -> None:
    commit_files(checkout, TESTS, "Ask for whisper")
    git(checkout, "push", "--quiet", str(bare), "main")
    task_id = await submit(appliance, bare, tests=None)
    assert (await ended(appliance, task_id)).status == "merged"
    assert "Approved-by: policy" in git(bare, "log", "-1", "--format=%B", "main")
    decided = [entry.actor for entry in await appliance.ledger.read(types=["task.approved"])]
    assert decided == ["workflow"]


async def test_what_no_test_can_prove_costs_nothing(appliance: Appliance, bare: Path) -> None:
    state = await ended(appliance, await submit(appliance, bare, tests=None))
    assert (state.status, state.attempts) == ("failed", 0)
    assert "No test failed before the change" in state.reason


async def test_a_budget_is_kept_before_the_call_and_not_after(appliance: Appliance, bare: Path) -> None:
    state = await ended(appliance, await submit(appliance, bare, budget_usd=Decimal("0.000001")))
    assert (state.status, state.cost_usd, state.attempts) == ("failed", Decimal(0), 0)
    assert "No model may answer for the 0.000001 USD" in state.reason
    calls = await appliance.ledger.read(stream="calls")
    assert {call.type for call in calls if call.data["kind"] == "generate"} == {"call.refused"}


async def test_one_tasks_tests_are_not_in_anothers_prompt(appliance: Appliance, bare: Path) -> None:
    secret = {f"tests/test_secret_{n}.py": TESTS["tests/test_whisper.py"] + f"# whisper secret {n}\n" for n in (1, 2)}
    tasks = [await submit(appliance, bare, tests={path: text}) for path, text in secret.items()]
    for number, task_id in enumerate(tasks, 1):
        await until(appliance, task_id, "task.waiting", "task.failed")
        found = await appliance.ledger.find(f"{task_id}/context/finished")
        assert found is not None
        shown = (await appliance.ledger.get_body(found.output_digest or "")).decode()
        assert f"whisper secret {number}" in shown
        assert f"whisper secret {3 - number}" not in shown
    # The index is everybody's: what it was made of has none of it.
    embedded = [call for call in await appliance.ledger.read(stream="calls") if call.data["kind"] == "embed"]
    bodies = [await appliance.ledger.get_body(call.input_digest or "") for call in embedded]
    assert bodies
    assert not any(b"secret" in body for body in bodies)


async def test_the_requesters_tenant_pays_for_the_embeddings(appliance: Appliance, bare: Path) -> None:
    await waiting(appliance, bare)
    embedded = [call for call in await appliance.ledger.read(stream="calls") if call.data["kind"] == "embed"]
    assert {(call.tenant, call.actor) for call in embedded} == {("second", "ada")}
