"""The `privacy:` part of models.yaml, of the appliance or of a tenant. Pure data with validation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from inference.spec import Spec
from router.privacy.findings import Kind

Action = Literal["allow", "redact", "local", "refuse"]
_MILDEST_FIRST: tuple[Action, ...] = ("allow", "redact", "local", "refuse")


class PrivacySpec(Spec):
    """What happens to a request in which something is found.

    `allow`: nothing. `redact`: models outside the walls see placeholders, which are replaced back in their answer.
    `local`: only models inside the walls may answer. `refuse`: none may. By default nothing leaves: where one secret or
    one person's address stands, others often stand that have no shape to be recognised by.
    """

    secrets: Action = Field(default="local", description="Keys, tokens, passwords, private keys.")
    personal: Action = Field(
        default="local", description="E-mail addresses, phone numbers, bank accounts, cards, numbers of persons."
    )

    @property
    def refuses(self) -> bool:
        """Whether anything that is found could keep models inside the walls from answering, too."""
        return "refuse" in (self.secrets, self.personal)

    def action(self, kind: Kind) -> Action:
        """What happens when something of this kind is found."""
        return self.secrets if kind == "secret" else self.personal

    def stricter(self, other: PrivacySpec) -> PrivacySpec:
        """For each kind the stricter rule of the two: a tenant's cannot loosen the appliance's."""
        return PrivacySpec(
            secrets=max(self.secrets, other.secrets, key=_MILDEST_FIRST.index),
            personal=max(self.personal, other.personal, key=_MILDEST_FIRST.index),
        )
