"""A conversation as clients of Anthropic's API write it."""

import msgspec


class AnthropicForm(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation in Anthropic's form, as JSON, for engines that speak it. Parts that the client left out are None.

    What every form has (length, stop texts, sampling) stands in the generation; what only the gateway reads (tier,
    metadata) is left out.
    """

    messages: msgspec.Raw
    system: msgspec.Raw | None = None
    tools: msgspec.Raw | None = None
    tool_choice: msgspec.Raw | None = None
    thinking: msgspec.Raw | None = None
    output_config: msgspec.Raw | None = None
