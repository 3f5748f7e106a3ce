"""Batches of the corpus: texts as token ids, with the weight that each token has in the loss."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from training.tokenizer import END_OF_TEXT

ANSWER_WEIGHT = 1.0
PROMPT_WEIGHT = 0.4
PLAIN_WEIGHT = 0.4


@dataclass(frozen=True, slots=True)
class Row:
    """One text: its ids, and the weight of predicting each of them."""

    ids: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of similar length, padded on the right: inputs, targets, weights, each (rows, length)."""

    inputs: Tensor
    targets: Tensor
    weights: Tensor


class Corpus:
    """The rows of a corpus file, served as an endless stream of shuffled batches."""

    def __init__(self, path: Path, tokenizer: Tokenizer, context: int) -> None:
        with path.open(encoding="utf-8") as file:
            texts = [json.loads(line) for line in file]
        ids = {name: tokenizer.token_to_id(name) for name in (END_OF_TEXT, "<|im_start|>", "<|im_end|>")}
        self._start, self._end = ids["<|im_start|>"], ids["<|im_end|>"]
        self._stop = ids[END_OF_TEXT]
        self._role = tokenizer.encode("assistant").ids
        self.rows = [self._row(e.ids[:context]) for e in tokenizer.encode_batch(texts)]

    def batches(self, rng: Random, tokens: int) -> Iterator[Batch]:
        """Batches of about `tokens` tokens each, for ever; a longer row is a batch of its own."""
        while True:
            order = list(range(len(self.rows)))
            rng.shuffle(order)
            for at in range(0, len(order), 4096):
                pool = sorted(order[at : at + 4096], key=lambda i: len(self.rows[i].ids) + rng.random())
                groups = list(self._groups(pool, tokens))
                rng.shuffle(groups)
                for group in groups:
                    yield padded([self.rows[i] for i in group])

    def _groups(self, pool: list[int], tokens: int) -> Iterator[list[int]]:
        group: list[int] = []
        for index in pool:
            if group and len(self.rows[index].ids) * (len(group) + 1) > tokens:
                yield group
                group = []
            group.append(index)
        if group:
            yield group

    def _row(self, ids: list[int]) -> Row:
        if ids[0] != self._start:
            ids = [*ids, self._stop]
            return Row(np.asarray(ids, np.int32), np.full(len(ids), PLAIN_WEIGHT, np.float32))
        weights = np.full(len(ids), PROMPT_WEIGHT, np.float32)
        opening = [self._start, *self._role]
        inside = False
        for at, token in enumerate(ids):
            if inside:
                weights[at] = ANSWER_WEIGHT
                inside = token != self._end
            elif at >= len(opening) and ids[at - len(opening) : at] == opening:
                inside = True
        return Row(np.asarray(ids, np.int32), weights)


def padded(rows: list[Row]) -> Batch:
    """The rows as one batch."""
    length = max(len(row.ids) for row in rows)
    ids = np.zeros((len(rows), length), np.int64)
    weights = np.zeros((len(rows), length), np.float32)
    for at, row in enumerate(rows):
        ids[at, : len(row.ids)] = row.ids
        weights[at, : len(row.ids)] = row.weights
    return Batch(
        torch.from_numpy(ids[:, :-1].copy()),
        torch.from_numpy(ids[:, 1:].copy()),
        torch.from_numpy(weights[:, 1:].copy()),
    )
