"""A byte-level BPE tokenizer of 4,096 tokens, with the split of GPT-2, trained on the corpus.

python -m training.tokenizer --corpus corpus.jsonl --out tokenizer.json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

VOCABULARY = 4096
END_OF_TEXT = "<|endoftext|>"
CONTROL = (END_OF_TEXT, "<|im_start|>", "<|im_end|>")
TAGS = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<tools>", "</tools>")
"""Whole tokens that are ordinary text: they are shown, where control tokens are not."""


def corpus_texts(path: Path, limit: int) -> Iterator[str]:
    """The first texts of the corpus."""
    with path.open(encoding="utf-8") as file:
        for index, line in enumerate(file):
            if index >= limit:
                return
            yield json.loads(line)


def trained(texts: Iterator[str]) -> Tokenizer:
    """A tokenizer that knows every byte, the special tokens, and the commonest pieces of the texts."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        min_frequency=2,
        show_progress=False,
        special_tokens=[*CONTROL, *TAGS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in CONTROL])
    tokenizer.add_tokens([AddedToken(text, special=False, normalized=False) for text in TAGS])
    return tokenizer


def main() -> None:
    """Train and save the tokenizer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    tokenizer = trained(corpus_texts(options.corpus, options.texts))
    assert tokenizer.get_vocab_size() == VOCABULARY, tokenizer.get_vocab_size()
    tokenizer.save(str(options.out))


if __name__ == "__main__":
    main()
