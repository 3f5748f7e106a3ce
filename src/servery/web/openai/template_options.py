"""``chat_template_kwargs``: switches of a model's chat template, as clients of vLLM, SGLang and llama.cpp send them."""

import msgspec


class TemplateOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The switches that open models' templates have: whether a model thinks before it answers (``enable_thinking`` of
    most, ``thinking`` of DeepSeek's and Granite), and whether it is shown what it thought in earlier turns.

    No other name is taken: at some engines names reach the function that fills in the template, and could replace
    the template itself.
    """

    enable_thinking: bool | None = None
    thinking: bool | None = None
    preserve_thinking: bool | None = None
    clear_thinking: bool | None = None
