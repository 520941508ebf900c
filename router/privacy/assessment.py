"""What follows from what is found in a request: for a decision about each candidate, and once more at the sending.

Pure. The router asks `assess` before it chooses, also for embeddings, and sends nothing but what `outbound` returns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from inference.protocol import ChatRequest
from router.errors import PolicyRefused
from router.privacy.findings import KINDS, Kind
from router.privacy.redaction import redacted
from router.privacy.restore import Restorer
from router.privacy.scan import find
from router.privacy.spec import Action, PrivacySpec
from router.privacy.texts import Asked, texts_of

_NAMES: Mapping[Kind, str] = {"secret": "secrets", "personal": "personal data"}


@dataclass(frozen=True, slots=True)
class Assessment:
    """How often what was found, by kind, and the rules for it; no values. `logprobs`: whether they are asked for."""

    rules: PrivacySpec = field(default_factory=PrivacySpec)
    counts: Mapping[Kind, Mapping[str, int]] = field(default_factory=dict)
    logprobs: bool = False

    def refusal(self, *, remote: bool) -> str | None:
        """Why a model, inside the walls or outside, may not see the request, as a phrase; None if it may."""
        if refused := self._under("refuse"):
            return f"no model may see {self._named(refused)}"
        if remote and (local := self._under("local")):
            return f"it is outside the walls and may not see {self._named(local)}"
        if remote and self.logprobs and (hidden := self.hidden):
            return f"it is outside the walls, and an answer without {self._named(hidden)} has no logprobs to give"
        return None

    @property
    def hidden(self) -> tuple[Kind, ...]:
        """The kinds that a model outside the walls sees placeholders of."""
        return self._under("redact")

    def line(self, *, remote: bool) -> str:
        """What was done with the findings, for people ("secrets redacted: 2 github-token"); "" without any."""
        kept: Mapping[Action, str] = {"refuse": "refused", "local": "kept local", "allow": "allowed"}
        done = {**kept, "redact": "redacted" if remote else "kept local"}
        return "; ".join(
            f"{_NAMES[kind]} {done[self.rules.action(kind)]}: {self._listed(kind)}" for kind in self.counts
        )

    def _under(self, action: Action) -> tuple[Kind, ...]:
        return tuple(kind for kind in self.counts if self.rules.action(kind) == action)

    def _named(self, kinds: tuple[Kind, ...]) -> str:
        return " and ".join(f"{_NAMES[kind]} ({self._listed(kind)})" for kind in kinds)

    def _listed(self, kind: Kind) -> str:
        return ", ".join(f"{number} {what}" for what, number in self.counts[kind].items())


NOTHING_FOUND = Assessment()


def assess(request: Asked, rules: PrivacySpec) -> Assessment:
    """Look at everything that a model would read."""
    found = Counter((each.kind, each.what) for text, name in texts_of(request) for each in find(text, name))
    counts = {
        kind: {what: number for (of, what), number in sorted(found.items()) if of == kind}
        for kind in KINDS
        if any(of == kind for of, _ in found)
    }
    logprobs = isinstance(request, ChatRequest) and request.sampling.logprobs
    return Assessment(rules, counts, logprobs)


def outbound(request: Asked, rules: PrivacySpec, *, remote: bool) -> tuple[Asked, Restorer | None]:
    """What may be sent to a model, and what its answer must go through. It trusts no decision made before.

    Raises `PolicyRefused` if nothing may.
    """
    acts = {rules.secrets, rules.personal} & ({"redact", "local", "refuse"} if remote else {"refuse"})
    if not acts:
        return request, None
    assessment = assess(request, rules)
    if reason := assessment.refusal(remote=remote):
        raise PolicyRefused(f"Nothing was sent to {request.model}: {reason}.")
    if not (remote and assessment.hidden):
        return request, None
    return redacted(request, assessment.hidden)
