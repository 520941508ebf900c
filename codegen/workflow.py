"""One code task from plan to merge, as durable steps in the task's ledger stream.

Run it again at any time: it goes on at the first step without an outcome. It parks (returns) where a
person has to decide. Nothing reaches the target branch unless the task's one decision (see
`codegen.state.decision_key`) is an approval; so a decision that came first ends it here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from codegen import facts
from codegen.attempts import Assignment, Attempts
from codegen.git import Commit
from codegen.labels import PathLabels
from codegen.ladder import Ladder, Subject, applied, changes_between
from codegen.plan import make_plan
from codegen.policy import verdict
from codegen.protocol import (
    Context,
    Excerpt,
    Integration,
    Patch,
    Plan,
    Proof,
    Proposal,
    RepositoryProblem,
    Task,
    Verdict,
)
from codegen.pytest_run import TestReport, run_tests
from codegen.repository import Candidate, Repository
from codegen.rungs import why_unprovable
from codegen.spec import CodegenSpec
from codegen.state import decision_key, end_key
from codegen.steps import Steps
from ledger.protocol import Entry, Ledger
from retrieval.chunk import chunk
from retrieval.protocol import CountTokens, Passage, RepositoryIndex
from retrieval.select import select
from retrieval.spec import RetrievalSpec
from sandbox.protocol import Sandbox
from sandbox.tenancy import TenantSandbox

_MERGE_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Workshop:
    """Everything a task needs, built once and handed over by whoever assembles the appliance."""

    spec: CodegenSpec
    ledger: Ledger
    sandbox: Sandbox
    attempts: Attempts
    ladder: Ladder
    open_repository: Callable[[Path], Repository]
    open_index: Callable[[Repository], RepositoryIndex]
    retrieval: RetrievalSpec
    count_tokens: CountTokens
    labels: PathLabels


class Workflow:
    """The steps of one task."""

    def __init__(self, workshop: Workshop, task: Task) -> None:
        self._shop = workshop
        self._task = task
        self._steps = Steps(workshop.ledger, task)
        self._sandbox = TenantSandbox(workshop.sandbox, task.caller.tenant)
        self._repository = workshop.open_repository(Path(task.request.repository))
        self._acceptance = dict(task.request.tests or {})

    async def run(self) -> None:
        """Go on until the task ends or a person has to decide. Raises what a step could not get over."""
        files = await self._repository.files(self._task.base_commit)
        before = applied(files, self._acceptance)
        plan = await self._steps.run("plan", Plan, lambda: self._plan(files), facts.of_plan)
        if plan.refusal:
            await self._decision("task.refused", {"reason": plan.refusal})
            return
        baseline = await self._steps.run(
            "baseline", TestReport, lambda: run_tests(self._sandbox, before), facts.of_baseline
        )
        if reason := why_unprovable(baseline, tuple(self._acceptance)):
            await self._decision("task.failed", {"reason": reason})
            return
        context = await self._steps.run("context", Context, lambda: self._context(plan, files), facts.of_context)
        assignment = Assignment(self._task, plan, context, before, baseline, self._shop.labels)
        proof = await self._shop.attempts.until_proven(assignment, self._steps)
        if proof.patch is None:
            reason = f"{proof.why_unproven} The last finding was: {proof.verification.findings or 'none'}"
            await self._decision("task.failed", {"reason": reason, **facts.of_proof(proof)})
            return
        await self._decide(proof, Patch({**proof.patch.changes, **self._acceptance}))

    async def _decide(self, proof: Proof, change: Patch) -> None:
        """Verdict, proposal, a person's word where policy asks for it, merge."""
        decided = await self._steps.run("verdict", Verdict, lambda: self._verdict(proof, change), facts.of_verdict)
        if decided.decision == "refuse":
            await self._decision("task.refused", {"reason": "; ".join(decided.reasons), **facts.of_proof(proof)})
            return
        proposal = await self._steps.run("propose", Proposal, lambda: self._propose(change), facts.of_proposal)
        answer = await self._answer(decided, proposal)
        if answer is None or answer.type != "task.approved":
            return
        approver = "policy" if decided.decision == "apply" else answer.actor
        integration = await self._steps.run(
            "merge", Integration, lambda: self._merge(proposal, change, approver), facts.of_integration
        )
        merged = {**facts.of_integration(integration), **facts.of_proof(proof)}
        await self._steps.append("task.merged", merged, key=end_key(self._task.id))

    # -- steps ------------------------------------------------------------------------------------------------

    async def _plan(self, files: Mapping[str, bytes]) -> Plan:
        passages = [] if self._task.request.files else await self._search(files)
        return make_plan(self._shop.spec, self._task.request, files, passages)

    async def _search(self, files: Mapping[str, bytes]) -> list[Passage]:
        """The best passages of the repository. Its index serves every task, so a task's own tests never enter it."""
        index, limit = self._shop.open_index(self._repository), self._shop.retrieval.limit
        caller = self._shop.labels.raised(self._task.caller, files)  # the embedder reads all of them
        return await index.search_in(files, self._task.request.instruction, caller, limit=limit)

    async def _context(self, plan: Plan, files: Mapping[str, bytes]) -> Context:
        """The files that may change come first, then the best passages, then the task's own tests, as tokens allow."""
        spec, count = self._shop.retrieval, self._shop.count_tokens
        named = [piece for path in plan.files if path in files for piece in self._pieces(path, files[path])]
        found = [passage for passage in await self._search(files) if passage.path not in self._acceptance]
        tests = [piece for path, text in self._acceptance.items() for piece in self._pieces(path, text.encode())]
        passages = [*named, *found, *tests]
        chosen = select(passages, spec.context_tokens, count, must=plan.files, per_file=spec.passages_per_file)
        excerpts = tuple(Excerpt(item.path, item.start_line, item.end_line, item.text) for item in chosen)
        tokens = sum(self._shop.count_tokens(item.text) for item in excerpts)
        return Context(excerpts, tokens, len(passages))

    def _pieces(self, path: str, content: bytes) -> list[Passage]:
        return chunk(path, content.decode(errors="replace"), self._shop.retrieval.passage_lines)

    async def _verdict(self, proof: Proof, change: Patch) -> Verdict:
        return verdict(self._shop.spec, change.changes, proof.verification)

    async def _propose(self, change: Patch) -> Proposal:
        """A commit on the task's own branch; nobody else's branch moves."""
        base, branch = self._task.base_commit, f"bailey/{self._task.id}"
        author = Commit("", (), await self._message(), self._task.caller.actor, self._task.submitted_at)
        commit = await self._repository.commit_patch(base, change, author)
        diff = await self._repository.propose(branch, base, commit)
        return Proposal(branch, commit, tuple(sorted(change.changes)), diff)

    async def _message(self) -> str:
        """The commit message; its trailers lead from git to the ledger."""
        proven = await self._shop.ledger.find(f"{self._task.id}/verdict/finished")
        title = self._task.request.instruction.strip().splitlines()[0]
        return (
            f"{title if len(title) <= 72 else title[:71] + '…'}\n\n"
            f"Bailey-Task: {self._task.id}\n"
            f"Bailey-Ledger-Entry: {proven.hash if proven else 'none'}\n"
            f"Requested-by: {self._task.caller.actor}\n"
        )

    async def _answer(self, decided: Verdict, proposal: Proposal) -> Entry | None:
        """The task's decision: policy's own, or a person's; None after saying that one is needed."""
        if decided.decision == "apply":
            return await self._decision("task.approved", facts.of_verdict(decided))
        waiting = {**facts.of_verdict(decided), **facts.of_proposal(proposal)}
        await self._steps.append("task.waiting", waiting, key=f"{self._task.id}/waiting")
        return await self._shop.ledger.find(decision_key(self._task.id))

    async def _merge(self, proposal: Proposal, change: Patch, approver: str) -> Integration:
        """Merge with the branch as it stands now; a tree that was not verified yet is verified first."""
        task, branch = self._task, self._task.request.branch
        message = f"Merge {proposal.branch}\n\nBailey-Task: {task.id}\nApproved-by: {approver}\n"
        problem: RepositoryProblem | None = None
        for _ in range(_MERGE_ATTEMPTS):
            candidate = await self._repository.merge_candidate(branch, proposal.commit, message, task.submitted_at)
            if problem and not candidate.published:
                raise problem
            if not candidate.published and candidate.target_head != task.base_commit:
                await self._verify_merge(candidate, change)
            try:
                if integration := await self._repository.publish(branch, proposal.branch, candidate):
                    return integration
            except RepositoryProblem as error:
                problem = error  # the branch may have it all the same; the next look at it tells
        raise RepositoryProblem(f"Branch {branch!r} keeps moving; submit the task again when it is quiet.")

    async def _verify_merge(self, candidate: Candidate, change: Patch) -> None:
        """The branch moved since the change was verified: on what stands there now it must do the same again."""
        newer = applied(await self._repository.files(candidate.target_head), self._acceptance)
        as_merged = changes_between(newer, await self._repository.files(candidate.merge_commit))
        if strayed := sorted(as_merged.keys() - change.changes.keys()):
            beyond = ", ".join(strayed)
            raise RepositoryProblem(f"Merged with newer changes it would also change {beyond}; submit it again.")
        baseline = await run_tests(self._sandbox, newer)
        subject = Subject(newer, Patch(as_merged), baseline, tuple(sorted(self._acceptance)))
        verification = await self._shop.ladder.for_tenant(self._task.caller.tenant).climb(subject)
        if not verification.green:
            raise RepositoryProblem(f"Merged with newer changes it is not green any more: {verification.findings}")

    async def roll_back(self, merge_commit: str, actor: str) -> None:
        """Undo the merge by a recorded revert; safe to run again."""
        branch, at = self._task.request.branch, self._task.submitted_at
        message = f"Roll back {self._task.id}\n\nRolled-back-by: {actor}\n"
        commit = await self._steps.run(
            "rollback",
            str,
            lambda: self._repository.revert(branch, merge_commit, message, at),
            lambda made: {"commit": made},
        )
        data = {"commit": commit, "actor": actor}
        await self._steps.append("task.rolled_back", data, key=f"{self._task.id}/rolled_back")

    async def _decision(self, type_: str, data: facts.Facts) -> Entry:
        """The task's decision: this one unless another came first."""
        return await self._steps.append(type_, data, key=decision_key(self._task.id))
