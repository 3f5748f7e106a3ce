"""Writes the weights as a GGUF file, without llama.cpp: Q8_0 matrices, tokenizer, chat template, metadata.

python -m training.export_gguf --weights model.safetensors --tokenizer tokenizer.json --out servery-demo.gguf
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, TokenType
from safetensors.numpy import load_file

from training.conversation import TEMPLATE_PATH
from training.model import Shape
from training.tokenizer import CONTROL, END_OF_TEXT, TAGS

NAME = "Servery demo"
DESCRIPTION = "A very small language model for trying Servery without a GPU, made by the project's own script."
LICENSE = "apache-2.0"
LICENSE_NAME = "Apache-2.0; trained in part on the Python documentation (PSF-2.0)"
TEMPERATURE = 0.2

Array = np.ndarray


def permuted(weight: Array, heads: int) -> Array:
    """A query or key matrix, rows reordered: llama.cpp rotates neighbouring pairs, the model two halves."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def tensors(weights: dict[str, Array], shape: Shape) -> dict[str, Array]:
    """The weights under the names that llama.cpp uses."""
    named = {"token_embd.weight": weights["embedding.weight"], "output_norm.weight": weights["norm.weight"]}
    names = {
        "attention_norm": "attn_norm",
        "attention.q": "attn_q",
        "attention.k": "attn_k",
        "attention.v": "attn_v",
        "attention.o": "attn_output",
        "feed_norm": "ffn_norm",
        "gate": "ffn_gate",
        "up": "ffn_up",
        "down": "ffn_down",
    }
    heads = {"attention.q": shape.heads, "attention.k": shape.kv_heads}
    for layer in range(shape.layers):
        for ours, theirs in names.items():
            weight = weights[f"blocks.{layer}.{ours}.weight"]
            if ours in heads:
                weight = permuted(weight, heads[ours])
            named[f"blk.{layer}.{theirs}.weight"] = weight
    return named


def add_shape(writer: GGUFWriter, shape: Shape) -> None:
    """The sizes of the model."""
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_dimension_count(shape.head)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.epsilon)
    writer.add_vocab_size(shape.vocabulary)


def add_about(writer: GGUFWriter) -> None:
    """What the file is, and the sampling it asks for."""
    writer.add_name(NAME)
    writer.add_description(DESCRIPTION)
    writer.add_license(LICENSE)
    writer.add_license_name(LICENSE_NAME)
    writer.add_size_label("6M")
    writer.add_languages(["en"])
    writer.add_float32("general.sampling.temp", TEMPERATURE)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def add_tokenizer(writer: GGUFWriter, path: Path) -> None:
    """Vocabulary, merges, special tokens and the chat template."""
    model: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["model"]
    ids: dict[str, int] = model["vocab"]
    tokens = sorted(ids, key=lambda token: ids[token])
    kinds = [
        TokenType.CONTROL if t in CONTROL else TokenType.USER_DEFINED if t in TAGS else TokenType.NORMAL for t in tokens
    ]
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(ids[END_OF_TEXT])
    writer.add_eos_token_id(ids["<|im_end|>"])
    writer.add_pad_token_id(ids[END_OF_TEXT])
    writer.add_bool(gguf.Keys.Tokenizer.ADD_BOS, val=False)
    writer.add_bool(gguf.Keys.Tokenizer.ADD_EOS, val=False)
    writer.add_chat_template(TEMPLATE_PATH.read_text(encoding="utf-8"))


def add_tensors(writer: GGUFWriter, named: dict[str, Array]) -> None:
    """Matrices as Q8_0, norms as 32-bit floats."""
    for name, given in named.items():
        weight = np.ascontiguousarray(given, np.float32)
        if weight.ndim == 1:
            writer.add_tensor(name, weight)
            continue
        kind = GGMLQuantizationType.Q8_0
        writer.add_tensor(name, gguf.quants.quantize(weight, kind), raw_dtype=kind)


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    shape = Shape()
    writer = GGUFWriter(str(options.out), "llama")
    add_about(writer)
    add_shape(writer, shape)
    add_tokenizer(writer, options.tokenizer)
    add_tensors(writer, tensors(load_file(str(options.weights)), shape))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
