"""The engines whose peculiarities are known."""

from enum import StrEnum


class EngineFamily(StrEnum):
    """Whose dialect of the OpenAI-style API an engine speaks; ``openai`` is the plain one, with no extras."""

    LLAMA_CPP = "llama.cpp"
    VLLM = "vllm"
    SGLANG = "sglang"
    OPENAI = "openai"
