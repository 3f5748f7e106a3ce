"""What can be asked for, as OpenAI lists it, with Fireworks' own keys."""

from datetime import UTC, datetime

import msgspec

from servery.catalog.model import Capability
from servery.catalog.offer import Offer


class ListedModel(msgspec.Struct):
    """``created`` is seconds since the Unix epoch."""

    id: str
    created: int
    owned_by: str
    kind: str
    supports_chat: bool
    supports_image_input: bool
    supports_tools: bool
    context_length: int
    object: str = "model"


class ListedModels(msgspec.Struct):
    data: list[ListedModel]
    object: str = "list"


def listed_model(offer: Offer, *, owner: str) -> ListedModel:
    """A model or router that belongs to the account ``owner``."""
    model = offer.model
    created = datetime(model.created.year, model.created.month, model.created.day, tzinfo=UTC)
    return ListedModel(
        id=offer.name,
        created=int(created.timestamp()),
        owned_by=owner,
        kind="HF_BASE_MODEL" if model.generates else "EMBEDDING_MODEL",
        supports_chat=Capability.CHAT in model.capabilities,
        supports_image_input=Capability.IMAGES in model.capabilities,
        supports_tools=Capability.TOOLS in model.capabilities,
        context_length=model.context_length,
    )
