"""Small models, each written by the library that people write such models with.

The weights are random but fixed. They are far too few to predict anything.
"""

import hashlib
import os
import string
from pathlib import Path
from typing import Any

# The environment that checks the types has none of these libraries.
import numpy as np  # type: ignore[import-not-found]

BERT = {
    "vocab_size": 57,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}


def tensorflow_saved_model(path: Path) -> None:
    """Writes a classifier as a TensorFlow SavedModel."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf  # type: ignore[import-untyped]

    model = tf.Module()
    model.weights = tf.Variable(_weights(16, 4), name="weights")
    model.bias = tf.Variable(_weights(4), name="bias")

    @tf.function(input_signature=[tf.TensorSpec((None, 16), tf.float32, name="inputs")])
    def classify(inputs: Any) -> dict[str, Any]:  # noqa: ANN401
        return {"scores": tf.nn.softmax(inputs @ model.weights + model.bias)}

    tf.saved_model.save(model, str(path), signatures=classify)
    # Git keeps no empty directory.
    (path / "assets").rmdir()


def huggingface(path: Path) -> None:
    """Writes a BERT encoder and its tokenizer as `save_pretrained` lays them out."""
    from safetensors.numpy import save_file  # type: ignore[import-not-found]
    from transformers import (  # type: ignore[import-not-found]
        BertConfig,
        BertTokenizerFast,
    )

    letters = string.ascii_lowercase
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = [*special, *letters, *(f"##{letter}" for letter in letters)]
    path.mkdir()
    words = path / "vocab.txt"
    words.write_text("".join(f"{word}\n" for word in vocabulary), encoding="utf-8")
    BertTokenizerFast(vocab_file=str(words), model_max_length=64).save_pretrained(path)
    BertConfig(**BERT, architectures=["BertModel"]).save_pretrained(path)
    save_file(_bert_weights(), path / "model.safetensors", metadata={"format": "pt"})
    # safetensors makes it readable for nobody else.
    (path / "model.safetensors").chmod(0o644)


def huggingface_cache(path: Path, snapshot: Path) -> Path:
    """Lays out a snapshot as the Hugging Face cache keeps it, with one link per file.

    Returns:
        The directory that `snapshot_download` would return.
    """
    files = sorted(snapshot.iterdir())
    revision = hashlib.sha1(b"".join(map(_blob_name, files)), usedforsecurity=False).hexdigest()
    directory = path / "snapshots" / revision
    directory.mkdir(parents=True)
    (path / "blobs").mkdir()
    for file in files:
        name = _blob_name(file).decode()
        (path / "blobs" / name).write_bytes(file.read_bytes())
        (directory / file.name).symlink_to(f"../../blobs/{name}")
    (path / "refs").mkdir()
    (path / "refs" / "main").write_text(revision, encoding="utf-8")
    return directory


def gguf(path: Path) -> None:
    """Writes a one-layer llama as a GGUF file."""
    from gguf import GGUFWriter  # type: ignore[import-not-found]

    width, hidden = 32, 64
    words = ["<unk>", "<s>", "</s>", *string.ascii_lowercase]
    shapes = {
        "token_embd.weight": (len(words), width),
        "blk.0.attn_norm.weight": (width,),
        "blk.0.ffn_norm.weight": (width,),
        **{f"blk.0.attn_{x}.weight": (width, width) for x in ("q", "k", "v", "output")},
        **{f"blk.0.ffn_{x}.weight": (hidden, width) for x in ("gate", "up")},
        "blk.0.ffn_down.weight": (width, hidden),
        "output_norm.weight": (width,),
        "output.weight": (len(words), width),
    }
    writer = GGUFWriter(str(path), "llama")
    writer.add_name("tiny")
    writer.add_context_length(64)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(hidden)
    writer.add_block_count(1)
    writer.add_head_count(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(words)
    writer.add_token_scores([0.0] * len(words))
    writer.add_token_types([2, 3, 3, *[1] * len(string.ascii_lowercase)])
    for name, shape in shapes.items():
        writer.add_tensor(name, _weights(*shape))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def onnx(path: Path) -> None:
    """Writes a linear classifier as an ONNX file."""
    import onnx  # type: ignore[import-not-found]
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["inputs", "weights", "bias"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["scores"]),
        ],
        "classifier",
        [helper.make_tensor_value_info("inputs", TensorProto.FLOAT, ["batch", 16])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 4])],
        [
            numpy_helper.from_array(_weights(16, 4), "weights"),
            numpy_helper.from_array(_weights(4), "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))


def _weights(*shape: int) -> Any:  # noqa: ANN401
    return np.random.default_rng(0).normal(0, 0.02, shape).astype(np.float32)


def _bert_weights() -> dict[str, Any]:
    """Returns the parameters of `transformers.BertModel`, which itself would need PyTorch."""
    width, hidden = BERT["hidden_size"], BERT["intermediate_size"]
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (BERT["vocab_size"], width),
        "embeddings.position_embeddings.weight": (BERT["max_position_embeddings"], width),
        "embeddings.token_type_embeddings.weight": (2, width),
    }
    dense = {"pooler.dense": (width, width)}
    norms = ["embeddings.LayerNorm"]
    for number in range(BERT["num_hidden_layers"]):
        layer = f"encoder.layer.{number}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            dense[f"{layer}.attention.{part}"] = (width, width)
        dense[f"{layer}.intermediate.dense"] = (hidden, width)
        dense[f"{layer}.output.dense"] = (width, hidden)
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
    for name, (rows, columns) in dense.items():
        shapes |= {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}
    for name in norms:
        shapes |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    return {name: _weights(*shape) for name, shape in shapes.items()}


def _blob_name(file: Path) -> bytes:
    """Names a blob as the Hub does: the SHA-256 of what LFS holds, else git's own hash."""
    content = file.read_bytes()
    if file.suffix == ".safetensors":
        return hashlib.sha256(content).hexdigest().encode()
    blob = b"blob %d\0%s" % (len(content), content)
    return hashlib.sha1(blob, usedforsecurity=False).hexdigest().encode()
