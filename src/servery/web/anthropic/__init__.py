"""The dialect of Anthropic's Messages API: translated from and into OpenAI's form. Pure: bytes and values, no I/O."""
