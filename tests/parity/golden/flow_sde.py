"""Family flow_sde: SDE steps and the losses of image groups, in float64."""

import torch

from .bagel_model import timesteps
from .case import Case, Draft, Expected, Random, within
from .sde import log_prob, make_step, step_mean
from .versions import versions

PRODUCER = {"reference": "restatement in tests/parity/golden/sde.py and flow_sde.py", **versions("torch"),
            "note": "float64 on fp32 inputs, stored as fp32"}


def sde_step(case: Case) -> Expected:
    t = case.inputs["timesteps"].double()
    x, v = case.inputs["x"].double(), case.inputs["v"].double()
    kernel, noise_level = case.params["kernel"], case.params["noise_level"]
    rows: dict[str, list[torch.Tensor]] = {}

    def keep(name, value):
        rows.setdefault(name, []).append(torch.as_tensor(value, dtype=torch.float64))

    for i in range(len(t) - 1):
        step = make_step(kernel, noise_level, t[i].item(), t[i + 1].item(), t[1].item())
        mean = step_mean(step, x[i], v[i])
        keep("mean", mean)
        if noise_level == 0:  # the Euler step: it has no log-prob
            continue
        keep("sigma", step.sigma)
        keep("std", step.std)
        x_next = mean + step.std * case.inputs["noise"][i].double()
        keep("x_next", x_next)
        for name, value in (("logp", x_next), ("logp_given", case.inputs["x_next_given"][i].double())):
            keep(name, log_prob(step, value, mean))
            if kernel != "dance":
                keep(f"{name}_no_const", log_prob(step, value, mean, constants=False))
    return Expected({name: torch.stack(values).float() for name, values in rows.items()})


def image_loss(case: Case) -> Expected:
    p = case.params
    step = make_step(p.get("kernel", "flow_sde"), p["noise_level"], p["t"], p["t_next"], p["t_1"])
    wide = {name: tensor.double() for name, tensor in case.inputs.items()}
    v = wide["v"].requires_grad_()
    mean = step_mean(step, wide["x"], v)
    logp = log_prob(step, wide["x_next"], mean)
    change = logp - wide["logp_old"]
    advantage = wide["advantage"]
    if p.get("adv_clip") is not None:
        advantage = advantage.clamp(-p["adv_clip"], p["adv_clip"])

    def per_sample(difference):
        return difference.square().flatten(1).mean(1)

    def clipped(ratio):
        bounded = ratio.clamp(1 - p["clip_lo"], 1 + p["clip_hi"])
        return torch.maximum(-advantage * ratio, -advantage * bounded).mean()

    result = {}
    if p["form"] == "ppo":
        ratio = change.exp()
        policy = clipped(ratio)
        velocity_ref = wide["v_ref"]
        mean_ref = step_mean(step, wide["x"], velocity_ref)
        if p["kl_form"] == "velocity_mse":
            kl = per_sample(v - velocity_ref).mean()
        else:
            spread = {"flow_grpo": step.sigma, "exact": step.std}[p["kl_form"]]
            kl = (per_sample(mean - mean_ref) / (2 * spread**2)).mean()
        loss = policy + p["beta"] * kl
        result |= {"policy_loss": policy, "kl": kl,
                   "clipfrac_high": (ratio - 1 > p["clip_hi"]).double().mean(),
                   "clipfrac_low": (1 - ratio > p["clip_lo"]).double().mean()}
    else:
        kl_new_old = per_sample(mean - wide["mean_old"]) / (2 * step.std**2)
        if p["form"] == "grpo_guard":
            bias = kl_new_old if p["bias"] == "per_sample" else kl_new_old.mean()
            ratio = ((change + bias) * step.std).exp()
            loss = clipped(ratio) / -step.dt
        elif p["form"] == "flow_dppo":
            ratio = change.exp()
            leaves = ((ratio > 1) & (advantage > 0)) | ((ratio < 1) & (advantage < 0))
            dropped = (kl_new_old >= p["thr"]) & leaves
            loss = (-advantage * ratio).masked_fill(dropped, 0).mean()
            result["kl_new_old"] = kl_new_old
        else:
            raise ValueError(f"unknown form {p['form']}")
    loss.backward()
    result |= {"loss": loss, "ratio_minus_1": ratio - 1, "logp": logp, "mean": mean, "grad_v": v.grad}
    largest = v.grad.abs().max().item()
    return Expected({name: value.detach().float() for name, value in result.items()},
                    tolerance={"grad_v": within(1e-4 * largest, 1e-3)})


OPS = {"sde_step": sde_step, "image_loss": image_loss}


def write_models(_) -> None:
    pass


def _step_drafts():
    near = {"mean": within(1e-5, 1e-4), "x_next": within(1e-5, 1e-4), "std": within(1e-6, 1e-5),
            "sigma": within(1e-6, 1e-5)}
    probability = within(2e-5, 2e-5)
    shape = (2, 3, 5)  # B, N, D
    for kernel, noise_level, n, shift in (("flow_sde", 0.9, 12, 2.0), ("flow_sde", 1.5, 7, 1.0), ("cps", 0.6, 12, 2.0),
                                          ("cps", 1.0, 5, 4.0), ("dance", 0.5, 9, 2.5)):
        name = f"{kernel}_a{noise_level}_n{n}_s{shift}".replace(".", "p")
        random = Random(f"flow_sde {name}")
        logs = ["logp", "logp_given"]
        if kernel != "dance":
            logs += [f"{name}_no_const" for name in logs]
        yield Draft(name, "sde_step", near | dict.fromkeys(logs, probability),
                    params={"kernel": kernel, "noise_level": noise_level, "n": n, "shift": shift},
                    inputs={"timesteps": timesteps(n, shift)}
                    | {key: random.normal(n - 1, *shape) for key in ("x", "v", "noise", "x_next_given")})
    random = Random("flow_sde ode")
    yield Draft("ode_n6_s5p0", "sde_step", {"mean": within(1e-6, 1e-5)},
                params={"kernel": "flow_sde", "noise_level": 0.0, "n": 6, "shift": 5.0},
                inputs={"timesteps": timesteps(6, 5.0), "x": random.normal(5, *shape), "v": random.normal(5, *shape)})


def _loss_inputs(params: dict, moved: float, random: Random) -> dict[str, torch.Tensor]:
    """One step of a batch whose policy has moved since it was drawn, some samples by more than others."""
    step = make_step("flow_sde", params["noise_level"], params["t"], params["t_next"], params["t_1"])
    batch, shape = 10, (6, 7)
    x, v_old = random.normal(batch, *shape), random.normal(batch, *shape)
    mean_old = step_mean(step, x.double(), v_old.double())
    x_next = (mean_old + step.std * random.normal(batch, *shape).double()).float()
    reach = (moved * torch.linspace(0.1, 2.0, batch)).reshape(-1, 1, 1)
    inputs = {"x": x, "x_next": x_next, "v": v_old + reach * random.normal(batch, *shape),
              "logp_old": log_prob(step, x_next.double(), mean_old).float(),
              "advantage": random.normal(batch, scale=1.5)}
    if params["form"] == "ppo":
        inputs["v_ref"] = v_old + 0.3 * random.normal(batch, *shape)
    else:
        inputs["mean_old"] = mean_old.float()
    return inputs


def _clear_of_edges(params: dict, inputs: dict[str, torch.Tensor]) -> bool:
    """Every ratio keeps a fifth of the clip width away from where another branch begins, and each branch is taken."""
    got = image_loss(Case(None, {"params": params}, inputs)).tensors
    change = got["ratio_minus_1"]
    if params["form"] == "flow_dppo":
        kl = got["kl_new_old"]
        leaves = (change > 0) == (inputs["advantage"] > 0)
        clear = ((kl - params["thr"]).abs() > 0.2 * params["thr"]) & (change.abs() > 1e-5)
        branches = [leaves & (kl > params["thr"]), ~leaves & (kl > params["thr"]), kl < params["thr"]]
    else:
        low, high = params["clip_lo"], params["clip_hi"]
        clear = ((change + low).abs() > 0.2 * low) & ((change - high).abs() > 0.2 * high)
        branches = [change < -low, change > high, (change > -low) & (change < high)]
    return bool(clear.all()) and all(bool(branch.any()) for branch in branches)


def _loss_drafts():
    t = timesteps(15, 3.0)
    forms = {  # name: settings, how far the policy moved, step of the schedule
        "ppo_kl_flow_grpo": (dict(form="ppo", kl_form="flow_grpo", clip_lo=4e-4, clip_hi=3e-4, beta=0.05), 0.3, 1),
        "ppo_kl_exact": (dict(form="ppo", kl_form="exact", clip_lo=1e-5, clip_hi=1e-5, beta=0.02), 0.01, 0),
        "ppo_kl_velocity_mse": (dict(form="ppo", kl_form="velocity_mse", clip_lo=0.02, clip_hi=5e-3, beta=0.3), 3.0, 4),
        "ppo_no_kl": (dict(form="ppo", kl_form="exact", clip_lo=1e-4, clip_hi=1e-4, beta=0.0), 0.02, 6),
        "guard_per_sample": (dict(form="grpo_guard", bias="per_sample", clip_lo=5e-5, clip_hi=8e-5), 0.04, 2),
        "guard_batch": (dict(form="grpo_guard", bias="batch", clip_lo=5e-5, clip_hi=5e-5), 0.04, 3),
        "dppo": (dict(form="flow_dppo", thr=1.5e-5, clip_lo=1e-3, clip_hi=1e-3), 0.03, 5),
    }
    near = within(1e-5, 1e-4)
    for name, (settings, moved, index) in forms.items():
        params = settings | {"t": t[index].item(), "t_next": t[index + 1].item(), "t_1": t[1].item(),
                             "noise_level": 0.8 if index % 2 else 1.1, "adv_clip": None if name == "dppo" else 2.0}
        candidates = (_loss_inputs(params, moved, Random(f"flow_sde loss {name} {attempt}"))
                      for attempt in range(10000))
        inputs = next(inputs for inputs in candidates if _clear_of_edges(params, inputs))
        # A ratio near 1 has few digits in fp32.
        tolerance = dict.fromkeys(("loss", "logp", "mean"), near)
        tolerance |= {"ratio_minus_1": within(1e-6, 1e-2), "grad_v": None}
        if settings["form"] == "ppo":
            fraction = within(1e-6, 0)
            tolerance |= {"policy_loss": near, "kl": near, "clipfrac_high": fraction, "clipfrac_low": fraction}
        elif settings["form"] == "flow_dppo":
            tolerance["kl_new_old"] = near
        yield Draft(f"loss_{name}", "image_loss", tolerance, params=params, inputs=inputs)


def drafts(_):
    yield from _step_drafts()
    yield from _loss_drafts()
