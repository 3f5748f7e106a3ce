"""Makes a tiny Llama of random weights, with a tokenizer and a chat template, as a directory that vLLM loads.

Runs in vLLM's own environment, which has torch and transformers: ``python tiny_model.py DIRECTORY``. What such a model
says is noise; how the engine serves it is not.
"""

import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

CONTEXT_LENGTH = 2048
LAYERS = 24  # small ones, and many: a stream is slow enough to be seen running
SPECIALS = ["<|pad|>", "<|im_start|>", "<|im_end|>"]
SPACE, NEWLINE = "\u0120", "\u010a"  # as the byte level writes them

TEMPLATE = (
    "{%- if tools %}<|im_start|>system\n{{ tools | tojson }}<|im_end|>\n{% endif %}"
    "{%- for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content or '' }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def tokenizer() -> PreTrainedTokenizerFast:
    """One token for each character of ASCII, none merged: how long a prompt is can be counted by hand. Others are not
    known, so that noise is text."""
    letters = [letter for letter in sorted(pre_tokenizers.ByteLevel.alphabet()) if letter.isascii()] + [SPACE, NEWLINE]
    vocabulary = {token: number for number, token in enumerate([*SPECIALS, *letters])}
    model = Tokenizer(BPE(vocab=vocabulary, merges=[]))
    model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    model.decoder = decoders.ByteLevel()
    model.add_special_tokens(SPECIALS)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=model, pad_token="<|pad|>", eos_token="<|im_end|>", model_max_length=CONTEXT_LENGTH
    )
    wrapped.chat_template = TEMPLATE
    return wrapped


def main(directory: Path) -> None:
    torch.manual_seed(20_261_120)
    words = tokenizer()
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=LAYERS,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=64,
        max_position_embeddings=CONTEXT_LENGTH,
        initializer_range=0.2,
        bos_token_id=None,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(directory)
    words.save_pretrained(directory)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
