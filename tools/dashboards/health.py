"""What figures say about the training's health, and whether the policy deceives the reward."""
from .grafana import GREEN, RED, YELLOW, dashboard, lines, stat, steps

VALUE = "lvrpo_learner_step_value"


def figure(title, unit, description, names, **more):
    return lines(title, unit, description, (f'{VALUE}{{name=~"{names}"}}', "{{name}}"), **more)


MUST_BE = [
    stat("Ratio deviation", "short", "Of the first update; must be 0: the same weights give the same log-probabilities twice. Else docs/runbooks.md, RatioDrift.",
         f'max({VALUE}{{name="ratio_deviation_first_update"}})', steps(GREEN, (1e-4, YELLOW), (1e-3, RED))),
    stat("Sampler difference", "short", "Workers and learner must compute alike at the same version: 0.",
         f'max({VALUE}{{name="sampler_log_prob_difference_same_version"}})', steps(GREEN, (1e-4, YELLOW), (1e-3, RED))),
    stat("Unique noise", "percentunit", "Share of images with noise of their own; must be 1.", f'min({VALUE}{{name="unique_noise"}})', steps(RED, (1, GREEN))),
    stat("Not finite, last hour", "short", "Updates left out. Above 0: docs/runbooks.md, NonFinite.", "sum(increase(lvrpo_learner_nonfinite_total[1h]))",
         steps(GREEN, (1, RED))),
    stat("Groups not trainable", "short", "In an hour, by all workers: lost or damaged trajectories, and what no honest worker can have sent. The learner's log names the worker.",
         "sum(increase(lvrpo_learner_groups_given_up_total[1h])) or vector(0)", steps(GREEN, (1, YELLOW), (10, RED))),
    stat("Held-out gain", "percentunit", "Newest evaluation less the base weights. Below 0: docs/runbooks.md, HeldOutFalling.",
         "max(lvrpo_coordinator_heldout_gain)", steps(RED, (-.05, YELLOW), (0, GREEN)), defaults={"noValue": "not evaluated"}),
]

HACKING = [
    lines("Training reward and held-out score", "short", "They should rise together. The reward rises and the score falls: the policy deceives the reward; go back, and change it.",
          (f'{VALUE}{{name="reward"}}', "reward"), ("max(lvrpo_coordinator_heldout_score)", "held-out score")),
    figure("Signs of reward hacking", "short", "Guards and held-out scorers. A guard that rises for hours: look at the newest images (docs/runbooks.md, HackingGuard).", "logged_.*"),
    lines("Mean score by component", "short", "Of everything scored, also what was not trained on. One that saturates near 1 no longer teaches.",
          ('sum by (component) (rate(lvrpo_reward_score_total[RATE])) / sum by (component) (rate(lvrpo_reward_items_total{outcome="OK"}[RATE]))', "{{component}}")),
    figure("Reward by component", "short", "One that rises alone while others fall is suspicious.", "reward_[^s].*"),
    figure("Spread of rewards in a group", "short", "0: all samples are alike, nothing can be learned.", "reward_std_in_group"),
    lines("Groups retired, by reason", "cps", "zero_variance: too easy or too hard. Others: the worker's or the scorer's log.",
          ('sum by (outcome) (rate(lvrpo_coordinator_groups_total{outcome!="accepted"}[RATE]))', "{{outcome}}")),
]

POLICY = [
    figure("KL to the base policy", "short", "Grows slowly. A jump: docs/runbooks.md, KLJump.", ".*_kl"),
    figure("Loss", "short", "Its sign and size mean little by themselves; a spike means much.", ".*_loss"),
    figure("Gradient norm", "short", "Steady. A spike before values that are not finite: smaller learning rate.", "(image|text)_gradient_norm"),
    figure("Gradient norm, by part", "short", "A part that alone grows, or is 0, is the one to look at.", "(image|text)_gradient_norm_.+"),
    figure("Learning rate", "short", "As the schedule says.", ".*_learning_rate"),
    figure("Share clipped", "percentunit", "A few percent. Above .3: docs/runbooks.md, ClipHigh.", "(image|text)_clip_(low|high)", thresholds=steps(GREEN, (.3, RED))),
    figure("Share clipped, by denoising step", "percentunit", "High at one step alone: its noise level wants a wider range.", "image_clip_step_.*"),
    figure("Effective samples", "percentunit", "Near 1. Low: samples are too old (train.max_staleness), or few of them decide.", ".*_effective_samples"),
    figure("Staleness", "short", "Steps between the weights that sampled and those that are trained.", "staleness"),
]

NUMBERS = [
    figure("Deviations that must be 0", "short", "Above 0: another processor, build or setting among the members.",
           "ratio_deviation_first_update|sampler_log_prob_difference_same_version", thresholds=steps(GREEN, (1e-3, RED))),
    figure("Later updates and other versions", "short", "How far the policy moves in a step, and between versions.",
           "ratio_deviation_later_updates|sampler_log_prob_difference|text_log_prob_difference_same_version"),
    figure("Length of answers", "short", "Tokens. Grows without better scores: a sign of hacking in text.", "response_tokens"),
]

DASHBOARD = dashboard("lvrpo-health", "LVRPO RL health", "Is the training sound, and does the policy deceive the reward.", [
    ("What must hold", MUST_BE), ("Does it hack?", HACKING), ("Policy", POLICY), ("Numbers", NUMBERS)])
