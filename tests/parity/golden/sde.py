"""Stochastic steps of rectified flow, restated: t = 1 is noise, t = 0 data, v = noise - data, dt = t_next - t < 0.

With x0 = x - t v (the data's estimate) and e = x + (1 - t) v (the noise's), score = -e / t:
  flow_sde  sigma = a sqrt(t / (1 - t*)), t* = t, and at t = 1 the schedule's second value
            mean = x + v dt + sigma^2 / 2 * e / t * dt          std = sigma sqrt(-dt)
  dance     the same with sigma = a
  cps       mean = x0 (1 - t_next) + e sqrt(t_next^2 - std^2)   std = t_next sin(a pi / 2)
Log-probs are means over the elements of a sample; that of cps is -mean((x_next - mean)^2) alone.
"""

import dataclasses
import math

import torch


@dataclasses.dataclass
class Step:
    kernel: str
    t: float
    t_next: float
    sigma: float  # of the diffusion; cps: the same as std
    std: float  # of the step

    @property
    def dt(self) -> float:
        return self.t_next - self.t


def make_step(kernel: str, noise_level: float, t: float, t_next: float, t_1: float) -> Step:
    if kernel == "cps":
        std = t_next * math.sin(noise_level * math.pi / 2)
        return Step(kernel, t, t_next, std, std)
    if kernel == "dance":
        sigma = noise_level
    elif kernel == "flow_sde":
        sigma = noise_level * math.sqrt(t / (1 - (t_1 if t == 1 else t)))
    else:
        raise ValueError(f"unknown kernel {kernel}")
    return Step(kernel, t, t_next, sigma, sigma * math.sqrt(t - t_next))


def step_mean(step: Step, x: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    noise = x + (1 - step.t) * v
    if step.kernel == "cps":
        # The maximum is for rounding where the square root is zero.
        return (x - step.t * v) * (1 - step.t_next) + noise * math.sqrt(max(step.t_next**2 - step.std**2, 0.0))
    return x + v * step.dt + step.sigma**2 / 2 * noise / step.t * step.dt


def log_prob(step: Step, x_next: torch.Tensor, mean: torch.Tensor, constants: bool = True) -> torch.Tensor:
    """[B, ...] -> [B]."""
    square = (x_next - mean).square().flatten(1).mean(1)
    if step.kernel == "cps":
        return -square
    scaled = -square / (2 * step.std**2)
    return scaled - math.log(step.std) - math.log(2 * math.pi) / 2 if constants else scaled
