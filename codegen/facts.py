"""What people see of each step: the readable data of its ledger entry. The whole result is in the entry's body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from codegen import prompts
from codegen.protocol import Context, Draft, Integration, Plan, Proof, Proposal, Verdict, Verification
from codegen.pytest_run import TestReport
from ledger.protocol import JsonValue

Facts = Mapping[str, JsonValue]


def of_plan(plan: Plan) -> Facts:
    """The plan in full: it is short."""
    return {
        "files": list(plan.files),
        "steps": list(plan.steps),
        "attempts_per_tier": plan.attempts_per_tier,
        "budget_usd": f"{plan.budget_usd:f}",
        "expected_decision": plan.expected_decision,
        "reasons": list(plan.reasons),
        "refusal": plan.refusal,
    }


def of_baseline(report: TestReport) -> Facts:
    """How the tests stand before the change."""
    return {"passed": len(report.passed), "failed": sorted(report.failed), "problem": report.problem}


def of_context(context: Context) -> Facts:
    """Which passages the model is shown."""
    spans: list[JsonValue] = [f"{item.path}:{item.start_line}-{item.end_line}" for item in context.excerpts]
    return {"passages": spans, "tokens": context.tokens, "considered": context.passages_considered}


def of_draft(draft: Draft) -> Facts:
    """Who answered, why that model, what it cost and what it changes."""
    return {
        "model": draft.model,
        "route": draft.route,
        "problem": draft.problem,
        "changes": sorted(draft.patch.changes) if draft.patch else [],
        "prompt_tokens": draft.prompt_tokens,
        "completion_tokens": draft.completion_tokens,
        "cost_usd": f"{draft.cost_usd:f}",
        "prompt_version": prompts.PROMPT_VERSION,
    }


def of_verification(verification: Verification) -> Facts:
    """What each rung showed."""
    rungs: list[JsonValue] = [
        {
            "rung": item.rung,
            "outcome": item.outcome,
            "summary": item.summary,
            "seconds": item.seconds,
            "cached": item.cached,
        }
        for item in verification.evidence
    ]
    environment = verification.evidence[-1].environment_digest if verification.evidence else ""
    return {"green": verification.green, "rungs": rungs, "environment_digest": environment}


def of_verdict(verdict: Verdict) -> Facts:
    """The decision and the reason for each path."""
    return {"decision": verdict.decision, "reasons": list(verdict.reasons)}


def of_proposal(proposal: Proposal) -> Facts:
    """Where the proposed change can be looked at; its diff is in the body."""
    return {"branch": proposal.branch, "commit": proposal.commit, "changes": list(proposal.changes)}


def of_integration(integration: Integration) -> Facts:
    """Where the change went."""
    return asdict(integration)


def of_proof(proof: Proof) -> Facts:
    """The cost of it all."""
    return {"attempts": proof.attempts, "cost_usd": f"{proof.cost_usd:f}"}
