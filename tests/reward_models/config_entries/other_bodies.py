"""Bodies that are no decoders of the Llama kind: encoders, GPTs, and an encoder-decoder."""

from __future__ import annotations

from tests.reward_models.config_entries.bodies import HEAD, HEADS, HIDDEN, INNER, Body, Shapes


def linear(name: str, rows: int, columns: int) -> Shapes:
    """A linear layer with a bias."""
    return {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}


def norm(name: str) -> Shapes:
    """A layer norm."""
    return {f"{name}.weight": (HIDDEN,), f"{name}.bias": (HIDDEN,)}


def deberta_v2(vocab: int = 128100) -> Body:
    """DeBERTa v3 (large), without the weights of a head."""
    config = {
        "model_type": "deberta-v2",
        "vocab_size": vocab,
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_hidden_layers": 1,
        "num_attention_heads": HEADS,
        "hidden_act": "gelu",
        "max_position_embeddings": 512,
        "max_relative_positions": -1,
        "norm_rel_ebd": "layer_norm",
        "pad_token_id": 0,
        "pooler_dropout": 0,
        "pooler_hidden_act": "gelu",
        "pooler_hidden_size": HIDDEN,
        "pos_att_type": ["p2c", "c2p"],
        "position_biased_input": False,
        "position_buckets": 256,
        "relative_attention": True,
        "share_att_key": True,
        "type_vocab_size": 0,
        "layer_norm_eps": 1e-07,
        "torch_dtype": "float32",
    }
    layer = {
        **linear("attention.self.query_proj", HIDDEN, HIDDEN),
        **linear("attention.self.key_proj", HIDDEN, HIDDEN),
        **linear("attention.self.value_proj", HIDDEN, HIDDEN),
        **linear("attention.output.dense", HIDDEN, HIDDEN),
        **norm("attention.output.LayerNorm"),
        **linear("intermediate.dense", INNER, HIDDEN),
        **linear("output.dense", HIDDEN, INNER),
        **norm("output.LayerNorm"),
    }
    weights = {
        "deberta.embeddings.word_embeddings.weight": (vocab, HIDDEN),
        **norm("deberta.embeddings.LayerNorm"),
        "deberta.encoder.rel_embeddings.weight": (512, HIDDEN),
        **norm("deberta.encoder.LayerNorm"),
        **{f"deberta.encoder.layer.0.{key}": shape for key, shape in layer.items()},
    }
    return Body(config, weights)


def modernbert() -> Body:
    vocab = 50368
    config = {
        "model_type": "modernbert",
        "vocab_size": vocab,
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_hidden_layers": 1,
        "num_attention_heads": HEADS,
        "classifier_pooling": "mean",
        "classifier_activation": "gelu",
        "global_attn_every_n_layers": 3,
        "local_attention": 128,
        "max_position_embeddings": 8192,
        "bos_token_id": 50281,
        "cls_token_id": 50281,
        "eos_token_id": 50282,
        "sep_token_id": 50282,
        "pad_token_id": 50283,
        "torch_dtype": "float32",
    }
    weights = {
        "model.embeddings.tok_embeddings.weight": (vocab, HIDDEN),
        "model.embeddings.norm.weight": (HIDDEN,),
        "model.layers.0.attn.Wqkv.weight": (3 * HIDDEN, HIDDEN),
        "model.layers.0.attn.Wo.weight": (HIDDEN, HIDDEN),
        "model.layers.0.mlp.Wi.weight": (2 * INNER, HIDDEN),
        "model.layers.0.mlp.Wo.weight": (HIDDEN, INNER),
        "model.layers.0.mlp_norm.weight": (HIDDEN,),
        "model.final_norm.weight": (HIDDEN,),
    }
    return Body(config, weights)


def gpt2() -> Body:
    vocab, positions = 50257, 1024
    config = {
        "model_type": "gpt2",
        "vocab_size": vocab,
        "n_embd": HIDDEN,
        "n_head": HEADS,
        "n_layer": 1,
        "n_positions": positions,
        "n_ctx": positions,
        "activation_function": "gelu_new",
        "bos_token_id": 50256,
        "eos_token_id": 50256,
        "pad_token_id": 50256,
        "torch_dtype": "float32",
    }
    # GPT-2's layers are transposed.
    layer = {
        **norm("ln_1"),
        **norm("ln_2"),
        "attn.c_attn.weight": (HIDDEN, 3 * HIDDEN),
        "attn.c_attn.bias": (3 * HIDDEN,),
        "attn.c_proj.weight": (HIDDEN, HIDDEN),
        "attn.c_proj.bias": (HIDDEN,),
        "mlp.c_fc.weight": (HIDDEN, 4 * HIDDEN),
        "mlp.c_fc.bias": (4 * HIDDEN,),
        "mlp.c_proj.weight": (4 * HIDDEN, HIDDEN),
        "mlp.c_proj.bias": (HIDDEN,),
    }
    weights = {
        "transformer.wte.weight": (vocab, HIDDEN),
        "transformer.wpe.weight": (positions, HIDDEN),
        **{f"transformer.h.0.{key}": shape for key, shape in layer.items()},
        **norm("transformer.ln_f"),
    }
    return Body(config, weights)


def gpt_neox(vocab: int = 50304) -> Body:
    """GPT-NeoX as Pythia has it."""
    config = {
        "model_type": "gpt_neox",
        "vocab_size": vocab,
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_hidden_layers": 1,
        "num_attention_heads": HEADS,
        "hidden_act": "gelu",
        "max_position_embeddings": 2048,
        "rotary_pct": 0.25,
        "use_parallel_residual": True,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
    }
    layer = {
        **norm("input_layernorm"),
        **norm("post_attention_layernorm"),
        **linear("attention.query_key_value", 3 * HIDDEN, HIDDEN),
        **linear("attention.dense", HIDDEN, HIDDEN),
        **linear("mlp.dense_h_to_4h", INNER, HIDDEN),
        **linear("mlp.dense_4h_to_h", HIDDEN, INNER),
    }
    weights = {
        "gpt_neox.embed_in.weight": (vocab, HIDDEN),
        **{f"gpt_neox.layers.0.{key}": shape for key, shape in layer.items()},
        **norm("gpt_neox.final_layer_norm"),
    }
    return Body(config, weights)


def flan_t5() -> Body:
    vocab, inside = 32128, HEADS * HEAD
    config = {
        "model_type": "t5",
        "vocab_size": vocab,
        "d_model": HIDDEN,
        "d_kv": HEAD,
        "d_ff": INNER,
        "num_layers": 1,
        "num_decoder_layers": 1,
        "num_heads": HEADS,
        "relative_attention_num_buckets": 32,
        "feed_forward_proj": "gated-gelu",
        "is_encoder_decoder": True,
        "decoder_start_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 0,
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
    }

    def attention(name: str) -> Shapes:
        heads = {f"{name}.{part}.weight": (inside, HIDDEN) for part in "qkv"}
        return {**heads, f"{name}.o.weight": (HIDDEN, inside)}

    feed_forward: Shapes = {
        "DenseReluDense.wi_0.weight": (INNER, HIDDEN),
        "DenseReluDense.wi_1.weight": (INNER, HIDDEN),
        "DenseReluDense.wo.weight": (HIDDEN, INNER),
        "layer_norm.weight": (HIDDEN,),
    }

    def stack(name: str, last: int) -> Shapes:
        block = f"{name}.block.0.layer"
        return {
            **attention(f"{block}.0.SelfAttention"),
            f"{block}.0.SelfAttention.relative_attention_bias.weight": (32, HEADS),
            f"{block}.0.layer_norm.weight": (HIDDEN,),
            **{f"{block}.{last}.{key}": shape for key, shape in feed_forward.items()},
            f"{name}.final_layer_norm.weight": (HIDDEN,),
        }

    weights = {
        "shared.weight": (vocab, HIDDEN),
        **stack("encoder", 1),
        **stack("decoder", 2),
        **attention("decoder.block.0.layer.1.EncDecAttention"),
        "decoder.block.0.layer.1.layer_norm.weight": (HIDDEN,),
        "lm_head.weight": (vocab, HIDDEN),
    }
    return Body(config, weights)
