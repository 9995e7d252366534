"""The ops of family bagel: the whole model through the restatement in bagel_model.py."""

import json

import PIL.Image
import torch

from . import bpe
from .autoencoder import Autoencoder, patchify, to_uint8, unpatchify
from .bagel_model import Bagel, Context, Guidance, timesteps
from .case import Case, Expected, within
from .image_rules import bagel_size, bytes_of, pixels_of, rgb_on_white
from .sde import log_prob, make_step, step_mean
from .versions import versions

PRODUCER = {"reference": "restatement in tests/parity/golden/bagel_model.py",
            **versions("torch", "tokenizers", "pillow", "numpy"), "note": "fp32, CPU; random weights"}


def _grid(params) -> tuple[int, int]:
    return params["grid_h"], params["grid_w"]


def _prompt(model: Bagel, case: Case, name: str = "prompt_ids") -> Context:
    """Ids with their bos and eos; no such input: an empty context."""
    context = model.new_context()
    if name in case.inputs:
        model.append_text(context, case.inputs[name])
    return context


# --- Text.


def tokenize(case: Case) -> Expected:
    model = Bagel.load(case.model)
    tokenizer = bpe.load(case.model / "tokenizer.json")
    c = model.config
    ids = [[c.bos, *tokenizer.encode(text, add_special_tokens=False).ids, c.eos]
           for text in json.loads(case.file("texts.json").read_text())]
    special = {"bos_token_id": c.bos, "eos_token_id": c.eos, "start_of_image": c.start_of_image,
               "end_of_image": c.end_of_image}
    decoded = [tokenizer.decode(row[1:-1], skip_special_tokens=False) for row in ids]
    return Expected(json={"ids": ids, "special": special, "decoded": decoded})


@torch.no_grad()
def text_logits(case: Case) -> Expected:
    model, ids = Bagel.load(case.model), case.inputs["input_ids"]
    lengths = case.inputs["seqlens"].tolist() if "seqlens" in case.inputs else [len(ids)]
    hidden = torch.cat([model.append_text(model.new_context(), part) for part in ids.split(lengths)])
    return Expected({"hidden": hidden, "logits": model.logits(hidden)})


def _greedy(model: Bagel, context: Context, calls: int, stop: int | None):
    """Expected tensors, and in params how clear the choices were."""
    sequence, step_logits, next_ids = model.generate(context, calls, stop)
    best, second = step_logits.topk(2, dim=-1).values.T
    next_logp = step_logits.log_softmax(-1).gather(1, next_ids[:, None])[:, 0]
    return Expected({"sequence": sequence, "step_logits": step_logits, "next_ids": next_ids, "next_logp": next_logp},
                    params={"min_top2_margin": (best - second).min().item()})


@torch.no_grad()
def text_greedy(case: Case) -> Expected:
    model = Bagel.load(case.model)
    return _greedy(model, _prompt(model, case, "input_ids"), case.params["max_length"], case.params["end_token_id"])


@torch.no_grad()
def text_logp(case: Case) -> Expected:
    model, response = Bagel.load(case.model), case.inputs["response_ids"]
    fed = torch.cat([torch.tensor([model.config.bos]), response[:-1]])
    log_probs = model.logits(model.append_text(_prompt(model, case), fed)).log_softmax(-1)
    return Expected({"logp": log_probs.gather(1, response[:, None])[:, 0],
                     "entropy": -(log_probs.exp() * log_probs).sum(-1)})


# --- Images.


@torch.no_grad()
def velocity(case: Case) -> Expected:
    model = Bagel.load(case.model)
    return Expected({"v": model.velocity(_prompt(model, case), case.inputs["x_t"], case.params["t"],
                                         _grid(case.params))})


@torch.no_grad()
def velocity_batch(case: Case) -> Expected:
    model = Bagel.load(case.model)
    return Expected({f"v_{i}": model.velocity(_prompt(model, case, f"prompt_ids_{i}"), case.inputs[f"x_t_{i}"],
                                              case.params["t"], tuple(grid))
                     for i, grid in enumerate(case.params["grids"])})


@torch.no_grad()
def velocity_cfg(case: Case) -> Expected:
    model, p, x_t = Bagel.load(case.model), case.params, case.inputs["x_t"]
    prompt, empty = _prompt(model, case), model.new_context()
    guidance = Guidance.from_params(p)
    return Expected({"v": model.guided_velocity((prompt, empty, prompt), x_t, p["t"], _grid(p), guidance),
                     "v_cond": model.velocity(prompt, x_t, p["t"], _grid(p)),
                     "v_text_uncond": model.velocity(empty, x_t, p["t"], _grid(p))},
                    params={"inside_interval": guidance.interval[0] < p["t"] <= guidance.interval[1]})


@torch.no_grad()
def generate_ode(case: Case) -> Expected:
    model, p = Bagel.load(case.model), case.params
    prompt = _prompt(model, case)
    contexts = (prompt, model.new_context(), prompt)
    t, x, states = timesteps(p["n"], p["shift"]), case.inputs["noise"], []
    for now, following in zip(t[:-1].tolist(), t[1:].tolist()):
        states.append(x)
        x = x - (now - following) * model.guided_velocity(contexts, x, now, _grid(p), Guidance.from_params(p))
    latent = unpatchify(x, model.config.latent_patch, *_grid(p))
    image = Autoencoder.load(case.model).decode(latent[None])
    return Expected({"timesteps": t, "x": torch.stack(states), "latent": x, "image": image,
                     "image_u8": to_uint8(image)[0]})


@torch.no_grad()
def understand(case: Case) -> Expected:
    model, image = Bagel.load(case.model), case.inputs["vit_image"]
    patches, positions = model.vit_patches(image)
    hidden = model.encode_patches(patches, positions)
    context = model.new_context()
    model.append_vit(context, image)
    model.append_text(context, case.inputs["question_ids"])
    answer = _greedy(model, context, case.params["max_length"], case.params["end_token_id"])
    answer.tensors |= {"vit_patches": patches, "vit_position_ids": positions, "vit_hidden": hidden,
                       "vit_connected": model.connect(hidden)}
    return answer


@torch.no_grad()
def vit_features(case: Case) -> Expected:
    model = Bagel.load(case.model)
    count = sum(name.startswith("vit_image_") for name in case.inputs)
    hidden = [model.vit_tokens(case.inputs[f"vit_image_{i}"])[0] for i in range(count)]
    return Expected({"vit_hidden": torch.cat(hidden), "vit_seqlens": torch.tensor([len(part) for part in hidden])})


@torch.no_grad()
def edit_velocity(case: Case) -> Expected:
    """The source image through the autoencoder, then through the vision tower, then the instruction."""
    model, p, x_t = Bagel.load(case.model), case.params, case.inputs["x_t"]
    autoencoder = Autoencoder.load(case.model)
    source = autoencoder.normalize(autoencoder.encode(case.inputs["vae_image"][None])[0])[0]
    patch = model.config.latent_patch
    context = model.new_context()
    model.append_latents(context, patchify(source, patch), (source.shape[1] // patch, source.shape[2] // patch))
    model.append_vit(context, case.inputs["vit_image"])
    text_free = context.copy()
    model.append_text(context, case.inputs["instruction_ids"])
    contexts = (context, text_free, _prompt(model, case, "instruction_ids"))
    each = [model.velocity(one, x_t, p["t"], _grid(p)) for one in contexts]
    return Expected({"v": model.guided_velocity(contexts, x_t, p["t"], _grid(p), Guidance.from_params(p)),
                     **dict(zip(("v_cond", "v_text_uncond", "v_img_uncond"), each)), "source_latent": source,
                     "kv_len": torch.tensor([len(context)]), "rope": torch.tensor([context.position])})


@torch.no_grad()
def think_then_image(case: Case) -> Expected:
    """System prompt, prompt, the thoughts that follow, then a velocity after them."""
    model, p, x_t = Bagel.load(case.model), case.params, case.inputs["x_t"]
    system = _prompt(model, case, "system_ids")
    asked = system.copy()
    model.append_text(asked, case.inputs["prompt_ids"])
    thoughts = _greedy(model, asked.copy(), p["max_think"], model.config.eos)
    sequence = thoughts.tensors["sequence"]
    think_ids = torch.cat([sequence, torch.tensor([model.config.eos])])
    context = asked.copy()
    model.append_text(context, think_ids)
    contexts = (context, system, asked)  # all; without prompt and thoughts; without the thoughts alone
    return Expected({"think_sequence": sequence, "think_ids": think_ids,
                     "v_cond": model.velocity(context, x_t, p["t"], _grid(p)),
                     "v": model.guided_velocity(contexts, x_t, p["t"], _grid(p), Guidance.from_params(p)),
                     "rope": torch.tensor([context.position])}, params=thoughts.params)


# --- Training.


def _gradients(model: Bagel, case: Case, loss: torch.Tensor) -> Expected:
    """The gradients that the case asks for (those with a tolerance), and the norm of every gradient."""
    loss.backward()
    wanted = [name for name in case.spec["tolerance"] if name.startswith("grad/")]
    # Not reached in its layer, but part of the model that ran: zero. Not part of it at all: left out.
    ran = {name: tensor.grad for name, tensor in model.tensors.items() if tensor.grad is not None}
    tensors = {name: ran[name.removeprefix("grad/")] for name in wanted}
    return Expected(
        tensors, json={"grad_norm": {name: grad.double().norm().item() for name, grad in ran.items()}},
        tolerance={name: within(1e-7 + 2e-4 * grad.abs().max().item(), 2e-3) for name, grad in tensors.items()})


def _trainable(case: Case) -> Bagel:
    model = Bagel.load(case.model)
    for name, tensor in model.tensors.items():
        tensor.requires_grad_(not name.endswith("pos_embed.pos_embed"))
    return model


def train_velocity(case: Case) -> Expected:
    model, inputs = _trainable(case), case.inputs
    u, shift = torch.sigmoid(inputs["timestep_logits"]), case.params["timestep_shift"]
    t = shift * u / (1 + (shift - 1) * u)
    x_t = (1 - t)[:, None] * inputs["latent_clean"] + t[:, None] * inputs["noise"]
    hidden = model.packed(inputs, x_t, t)
    v = model.output_velocity(hidden[inputs["mse_loss_indexes"]])
    target = (inputs["noise"] - inputs["latent_clean"])[t > 0]
    loss, extra = (v * inputs["w"]).sum(), {}
    if "ce_loss_indexes" in inputs:
        log_probs = model.logits(hidden[inputs["ce_loss_indexes"]]).log_softmax(-1)
        extra["ce"] = -log_probs.gather(1, inputs["packed_label_ids"][:, None])[:, 0]
        loss = loss + extra["ce"].sum()
    expected = _gradients(model, case, loss)
    expected.tensors |= {"t": t, "x_t": x_t, "hidden": hidden, "velocity": v, "mse": (v - target).square(), **extra}
    return expected


def train_logp(case: Case) -> Expected:
    model, p, inputs = _trainable(case), case.params, case.inputs
    prompt = _prompt(model, case)
    if not p["prompt_grad"]:
        prompt = prompt.detached()
    contexts = (prompt, model.new_context(), prompt)
    v = model.guided_velocity(contexts, inputs["x_t"], p["t"], _grid(p), Guidance.from_params(p))
    step = make_step("flow_sde", p["noise_level"], p["t"], p["t_next"], p["t_1"])
    mean = step_mean(step, inputs["x_t"], v)
    logp = log_prob(step, inputs["x_next"][None], mean[None])[0]
    expected = _gradients(model, case, 100.0 * logp)
    expected.tensors |= {"v": v, "mean": mean, "std": torch.tensor(step.std), "logp": logp}
    return expected


# --- Files.


def image_transform(case: Case) -> Expected:
    p = case.params
    rgb = rgb_on_white(PIL.Image.open(case.folder / p["input"]))
    height, width = bagel_size(rgb.height, rgb.width, p["max_size"], p["min_size"], p["stride"], p["max_pixels"])
    resized = rgb.resize((width, height), PIL.Image.Resampling.BICUBIC)
    return Expected({"rgb": bytes_of(rgb), "resized": bytes_of(resized), "pixels": pixels_of(resized),
                     "size_hw": torch.tensor([height, width])})


OPS = {op.__name__: op for op in (
    tokenize, text_logits, text_greedy, text_logp, velocity, velocity_batch, velocity_cfg, generate_ode, understand,
    vit_features, edit_velocity, think_then_image, train_velocity, train_logp, image_transform)}
