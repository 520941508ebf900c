"""What a request needs of a model, and the refusal by name when a model does not offer it.

Every engine checks before it starts; a router uses `needs` to choose among models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from inference.errors import InvalidRequest, ModelNotFound, UnsupportedParameter
from inference.protocol import Capability, ChatRequest, EmbedRequest, ModelCard


def needs(request: ChatRequest) -> Mapping[Capability, str]:
    """The capabilities the request needs, each with the field that asks for it."""
    fields: dict[Capability, str] = {"completion": "prompt"} if request.prompt is not None else {"chat": "messages"}
    if request.suffix is not None:
        fields["infill"] = "suffix"
    if request.tools:
        fields["tools"] = "tools"
    elif any(message.role == "tool" or message.tool_calls for message in request.messages):
        fields["tools"] = "messages"
    if request.response_format.kind != "text":
        fields["json_schema"] = "response_format"
    if request.sampling.logprobs:
        fields["logprobs"] = "logprobs"
    return fields


def find_card(cards: Sequence[ModelCard], name: str) -> ModelCard:
    """The card of that name; raises `ModelNotFound` with the names there are."""
    for card in cards:
        if card.id == name:
            return card
    raise ModelNotFound(
        f"There is no model {name!r}; the models are {', '.join(card.id for card in cards) or 'none'}.", param="model"
    )


def check_request(cards: Sequence[ModelCard], request: ChatRequest) -> ModelCard:
    """The card of the model asked for, if it can do what is asked.

    Raises `ModelNotFound`, `InvalidRequest` (neither or both of messages and prompt) or
    `UnsupportedParameter` (a capability is missing; `param` is the field that needs it).
    """
    card = find_card(cards, request.model)
    if bool(request.messages) == (request.prompt is not None):
        raise InvalidRequest("Give exactly one of 'messages' and 'prompt'.", param="messages")
    if request.suffix is not None and request.prompt is None:
        raise InvalidRequest("'suffix' needs 'prompt'.", param="suffix")
    if request.verify is not None:
        raise UnsupportedParameter(f"Nothing verifies the answers of {card.id!r} here.", param="verify")
    for capability, field in needs(request).items():
        if capability not in card.capabilities:
            raise UnsupportedParameter(
                f"The model {card.id!r} does not offer {capability!r}, which {field!r} asks for; "
                f"it offers {', '.join(sorted(card.capabilities))}.",
                param=field,
            )
    return card


def check_embed(cards: Sequence[ModelCard], request: EmbedRequest) -> ModelCard:
    """The card of the model asked for, if it embeds; raises as `check_request` does."""
    card = find_card(cards, request.model)
    if "embeddings" not in card.capabilities:
        raise UnsupportedParameter(f"The model {card.id!r} does not offer 'embeddings'.", param="model")
    if not request.texts or not all(request.texts):
        raise InvalidRequest("'input' must be one or more texts that are not empty.", param="input")
    return card
