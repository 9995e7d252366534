"""A BAGEL folder in the published layout: its configuration files and random weights."""

import torch

from .bagel_model import BagelConfig, sincos_table
from .case import Random


def random_weights(c: BagelConfig, random: Random) -> dict[str, torch.Tensor]:
    """Random everywhere but in the position tables."""
    tensors: dict[str, torch.Tensor] = {}

    def linear(name, inputs, outputs, bias=True):
        tensors[f"{name}.weight"] = random.normal(outputs, inputs, scale=inputs**-0.5)
        if bias:
            tensors[f"{name}.bias"] = random.normal(outputs, scale=0.2)

    def norm(name, width, bias=False):
        tensors[f"{name}.weight"] = 1 + random.normal(width, scale=0.2)
        if bias:
            tensors[f"{name}.bias"] = random.normal(width, scale=0.2)

    root = "language_model.model"
    tensors[f"{root}.embed_tokens.weight"] = random.normal(c.vocabulary, c.hidden)
    tensors["language_model.lm_head.weight"] = random.normal(c.vocabulary, c.hidden, scale=2 * c.hidden**-0.5)
    for half in ("", "_moe_gen"):
        norm(f"{root}.norm{half}", c.hidden)
        for layer in range(c.layers):
            prefix = f"{root}.layers.{layer}"
            keys = c.kv_heads * c.head_dim
            for part, width in (("q", c.hidden), ("k", keys), ("v", keys)):
                linear(f"{prefix}.self_attn.{part}_proj{half}", c.hidden, width)
            linear(f"{prefix}.self_attn.o_proj{half}", c.hidden, c.hidden, bias=False)
            norm(f"{prefix}.self_attn.q_norm{half}", c.head_dim)
            norm(f"{prefix}.self_attn.k_norm{half}", c.head_dim)
            norm(f"{prefix}.input_layernorm{half}", c.hidden)
            norm(f"{prefix}.post_attention_layernorm{half}", c.hidden)
            for part in ("gate", "up"):
                linear(f"{prefix}.mlp{half}.{part}_proj", c.hidden, c.mlp, bias=False)
            linear(f"{prefix}.mlp{half}.down_proj", c.mlp, c.hidden, bias=False)
    linear("vae2llm", c.token_dim, c.hidden)
    linear("llm2vae", c.hidden, c.token_dim)
    linear("time_embedder.mlp.0", 256, c.hidden)
    linear("time_embedder.mlp.2", c.hidden, c.hidden)
    tensors["latent_pos_embed.pos_embed"] = sincos_table(c.hidden, c.max_latent_side).float()
    tensors["vit_pos_embed.pos_embed"] = sincos_table(c.hidden, c.vit_max_side).float()
    linear("connector.fc1", c.vit_hidden, c.hidden)
    linear("connector.fc2", c.hidden, c.hidden)
    vit = "vit_model.vision_model"
    linear(f"{vit}.embeddings.patch_embedding", 3 * c.vit_patch**2, c.vit_hidden)
    tensors[f"{vit}.embeddings.position_embedding.weight"] = random.normal(c.vit_max_side**2, c.vit_hidden, scale=0.5)
    for layer in range(c.vit_layers):
        prefix = f"{vit}.encoder.layers.{layer}"
        for part in ("q", "k", "v", "out"):
            linear(f"{prefix}.self_attn.{part}_proj", c.vit_hidden, c.vit_hidden)
        linear(f"{prefix}.mlp.fc1", c.vit_hidden, c.vit_mlp)
        linear(f"{prefix}.mlp.fc2", c.vit_mlp, c.vit_hidden)
        norm(f"{prefix}.layer_norm1", c.vit_hidden, bias=True)
        norm(f"{prefix}.layer_norm2", c.vit_hidden, bias=True)
    norm(f"{vit}.post_layernorm", c.vit_hidden, bias=True)
    return tensors


def config_files(c: BagelConfig, sections_inside: bool) -> dict[str, dict]:
    """File name -> content; the language and vision sections always have files of their own."""
    llm = {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_act": "silu",
           "bos_token_id": c.bos, "eos_token_id": c.eos, "hidden_size": c.hidden, "intermediate_size": c.mlp,
           "max_position_embeddings": 1024, "num_attention_heads": c.heads, "num_hidden_layers": c.layers,
           "num_key_value_heads": c.kv_heads, "rms_norm_eps": c.rms_eps, "rope_theta": c.rope_theta,
           "tie_word_embeddings": False, "use_sliding_window": False, "vocab_size": c.vocabulary}
    vit = {"model_type": "siglip_vision_model", "hidden_size": c.vit_hidden, "image_size": c.vit_max_side * c.vit_patch,
           "intermediate_size": c.vit_mlp, "num_attention_heads": c.vit_heads, "num_hidden_layers": c.vit_layers + 1,
           "patch_size": c.vit_patch}
    top = {"architectures": ["BagelForConditionalGeneration"], "model_type": "bagel", "visual_gen": True,
           "visual_und": True, "connector_act": "gelu_pytorch_tanh", "interpolate_pos": False,
           "latent_patch_size": c.latent_patch, "max_latent_size": c.max_latent_side,
           "vit_max_num_patch_per_side": c.vit_max_side, "start_of_image_id": c.start_of_image,
           "end_of_image_id": c.end_of_image, "vae_config": c.autoencoder.to_json()}
    if sections_inside:
        top |= {"llm_config": llm | {"qk_norm": True, "layer_module": "Qwen2MoTDecoderLayer"}, "vit_config": vit}
    return {"config.json": top, "llm_config.json": llm, "vit_config.json": vit}
