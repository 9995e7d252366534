"""Packs documents of text and images into one training sequence, by BAGEL's rules.

- text: bos, ids, eos; causal; one position each. With loss: every token but the last predicts the next one.
- image: start-of-image, tokens, end-of-image; full attention inside; one shared position. A latent image with loss is
  noisy: no later token sees it, and it does not advance the position. One without loss is clean: its time is 0.
- Documents do not see each other; positions begin at 0 in each.
"""

import dataclasses

import torch

from .bagel_model import Bagel

CLEAN = -1e30  # a time logit whose sigmoid is 0


@dataclasses.dataclass
class Text:
    ids: list[int]  # without bos and eos
    loss: bool = False

    def plan(self):
        return {"type": "text", "loss": int(self.loss)}


@dataclasses.dataclass
class Latents:
    clean: torch.Tensor  # [N, D]
    noise: torch.Tensor  # [N, D]
    grid: tuple[int, int]
    time_logit: float | None  # None: a clean image

    def plan(self):
        return {"type": "vae_image", "loss": int(self.time_logit is not None)}


@dataclasses.dataclass
class Vit:
    image: torch.Tensor  # [3, H, W]

    def plan(self):
        return {"type": "vit_image", "loss": 0}


def pack(model: Bagel, documents: list[list[Text | Latents | Vit]]) -> dict[str, torch.Tensor]:
    c = model.config
    lists: dict[str, list] = {name: [] for name in (
        "packed_text_ids", "packed_text_indexes", "packed_vae_token_indexes", "packed_vit_token_indexes",
        "packed_position_ids", "mse_loss_indexes", "ce_loss_indexes", "packed_label_ids", "vit_token_seqlens",
        "sample_lens")}
    parts: dict[str, list[torch.Tensor]] = {name: [] for name in (
        "latent_clean", "noise", "timestep_logits", "packed_latent_position_ids", "packed_vit_tokens",
        "packed_vit_position_ids")}
    segments = []  # (document, first token, one past the last, full attention, noisy)
    at = 0

    def add_text(ids, positions):
        nonlocal at
        lists["packed_text_ids"] += ids
        lists["packed_text_indexes"] += range(at, at + len(ids))
        lists["packed_position_ids"] += positions
        at += len(ids)

    for number, document in enumerate(documents):
        begin, position = at, 0
        for segment in document:
            first = at
            if isinstance(segment, Text):
                ids = [c.bos, *segment.ids, c.eos]
                if segment.loss:
                    lists["ce_loss_indexes"] += range(at, at + len(ids) - 1)
                    lists["packed_label_ids"] += ids[1:]
                add_text(ids, list(range(position, position + len(ids))))
                position += len(ids)
                segments.append((number, first, at, False, False))
                continue
            add_text([c.start_of_image], [position])
            if isinstance(segment, Latents):
                count, noisy = len(segment.clean), segment.time_logit is not None
                lists["packed_vae_token_indexes"] += range(at, at + count)
                if noisy:
                    lists["mse_loss_indexes"] += range(at, at + count)
                parts["latent_clean"].append(segment.clean)
                parts["noise"].append(segment.noise)
                parts["timestep_logits"].append(torch.full((count,), segment.time_logit if noisy else CLEAN))
                parts["packed_latent_position_ids"].append(model.latent_positions(*segment.grid))
            else:
                patches, places = model.vit_patches(segment.image)
                count, noisy = len(patches), False
                lists["packed_vit_token_indexes"] += range(at, at + count)
                lists["vit_token_seqlens"].append(count)
                parts["packed_vit_tokens"].append(patches)
                parts["packed_vit_position_ids"].append(places)
            lists["packed_position_ids"] += [position] * count
            at += count
            add_text([c.end_of_image], [position])
            position += 0 if noisy else 1
            segments.append((number, first, at, True, noisy))
        lists["sample_lens"].append(at - begin)

    allowed = torch.zeros(at, at, dtype=torch.uint8)
    for q_number, q_first, q_last, full, _ in segments:
        for k_number, k_first, k_last, _, noisy in segments:
            if q_number == k_number and k_first < q_first and not noisy:
                allowed[q_first:q_last, k_first:k_last] = 1
        inside = torch.ones(q_last - q_first, q_last - q_first, dtype=torch.uint8)
        allowed[q_first:q_last, q_first:q_last] = inside if full else inside.tril()
    packed = {name: torch.tensor(values, dtype=torch.int64) for name, values in lists.items() if values}
    packed |= {name: torch.cat(values) for name, values in parts.items() if values}
    return packed | {"attention_allowed": allowed}
