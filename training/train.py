"""Trains the model within a given time: the learning rate falls to zero just as the minutes are over.

OMP_WAIT_POLICY=passive python -m training.train --corpus c.jsonl --tokenizer t.json --minutes 50 --out m
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional
from torch.optim import AdamW, Muon, Optimizer

from training.batches import Batch, Corpus
from training.model import Llama, Shape

MATRIX_RATE = 0.02
MATCHING_RATE = 0.007
MATCHING = ("attention.q.weight", "attention.k.weight")
EMBEDDING_RATE = 4e-3
WARM_UP_STEPS = 20
DECAY_FROM = 0.4
BATCH_TOKENS = 2048
BATCHES_A_STEP = 2
REPORT_STEPS = 25
SAVE_SECONDS = 240.0


def optimizers(model: Llama) -> tuple[Optimizer, ...]:
    """Muon for the matrices of the layers, AdamW for the embeddings and the norms.

    Queries and keys learn slower: at the full rate their products grow until attention is all on one token,
    and then it learns nothing more.
    """
    matrices = {name: p for name, p in model.blocks.named_parameters() if p.dim() == 2}
    matching = [p for name, p in matrices.items() if name.endswith(MATCHING)]
    others = [p for name, p in matrices.items() if not name.endswith(MATCHING)]
    norms = [p for p in model.parameters() if p.dim() == 1]
    embeddings = [model.embedding.weight, *norms]
    return (
        Muon(matching, lr=MATCHING_RATE, momentum=0.95, weight_decay=0.1),
        Muon(others, lr=MATRIX_RATE, momentum=0.95, weight_decay=0.1),
        AdamW(embeddings, lr=EMBEDDING_RATE, betas=(0.9, 0.95), weight_decay=0.0, fused=True),
    )


def rate(progress: float, step: int) -> float:
    """The factor on the learning rates: a short warm-up, a plateau, a straight fall to zero."""
    warm = min(1.0, (step + 1) / WARM_UP_STEPS)
    return warm * max(0.0, min(1.0, (1.0 - progress) / (1.0 - DECAY_FROM)))


def loss_sum(model: Llama, batch: Batch) -> Tensor:
    """The weighted loss of a batch, summed."""
    with torch.autocast("cpu", torch.bfloat16):
        logits = model.logits(model(batch.inputs))
    losses = functional.cross_entropy(logits.flatten(0, 1).float(), batch.targets.flatten(), reduction="none")
    return (losses * batch.weights.flatten()).sum()


def train_step(model: Llama, batches: list[Batch], chosen: tuple[Optimizer, ...]) -> float:
    """One update from some batches; gives the mean weighted loss."""
    weight = sum(float(batch.weights.sum()) for batch in batches)
    total = 0.0
    for batch in batches:
        loss = loss_sum(model, batch) / weight
        loss.backward()
        total += loss.item()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer in chosen:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return total


def run(model: Llama, batches: Iterator[Batch], seconds: float, out: Path) -> None:
    """Train until the time is over, reporting and saving on the way."""
    chosen = optimizers(model)
    peaks = [[group["lr"] for group in optimizer.param_groups] for optimizer in chosen]
    begun = saved = time.monotonic()
    step = tokens = 0
    mean = 0.0
    while (progress := (time.monotonic() - begun) / seconds) < 1.0:
        factor = rate(progress, step)
        for optimizer, rates in zip(chosen, peaks, strict=True):
            for group, peak in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = peak * factor
        some = [next(batches) for _ in range(BATCHES_A_STEP)]
        loss = train_step(model, some, chosen)
        mean = loss if step == 0 else 0.95 * mean + 0.05 * loss
        tokens += sum(batch.inputs.numel() for batch in some)
        step += 1
        if step % REPORT_STEPS == 0:
            spent = time.monotonic() - begun
            print(f"step {step} loss {mean:.4f} tokens {tokens} {tokens / spent:.0f}/s {spent:.0f}s", flush=True)
        if time.monotonic() - saved > SAVE_SECONDS:
            save(model, out)
            saved = time.monotonic()
    save(model, out)
    print(f"finished: {step} steps, {tokens} tokens, loss {mean:.4f}", flush=True)


def save(model: Llama, out: Path) -> None:
    """Write the weights."""
    save_file({name: value.detach().contiguous() for name, value in model.state_dict().items()}, out)


def main() -> None:
    """Train a new model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=40.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    shape = Shape()
    model = Llama(shape)
    corpus = Corpus(options.corpus, Tokenizer.from_file(str(options.tokenizer)), shape.context)
    count = sum(p.numel() for p in model.parameters())
    total = sum(len(row.ids) for row in corpus.rows)
    print(f"{count} parameters; {len(corpus.rows)} rows, {total} tokens", flush=True)
    run(model, corpus.batches(Random(options.seed), BATCH_TOKENS), options.minutes * 60, options.out)


if __name__ == "__main__":
    main()
