"""Rollout workers and reward servers: are they too few, too many, or ill."""
from .grafana import GREEN, RED, YELLOW, dashboard, lines, mean, quantiles, stacked, stat, steps

SIZES = [
    stat("Rollout workers", "short", "Live. 0: docs/runbooks.md, RolloutGone.", 'max(lvrpo_coordinator_members{role="rollout"})', steps(RED, (1, GREEN))),
    stat("Reward servers", "short", "Live. 0: docs/runbooks.md, RewardGone.", 'max(lvrpo_coordinator_members{role="reward"})', steps(RED, (1, GREEN))),
    stat("Groups wanted", "short", "Groups that workers may begin now. Above 0 for long with busy workers: add workers. 0: the learner is the limit.",
         "max(lvrpo_coordinator_groups_wanted)"),
    stat("Workers without work", "percentunit", "Share of the workers' time without a lease. Above a half: remove some.",
         "sum(rate(lvrpo_rollout_wait_seconds_total[RATE])) / count(lvrpo_rollout_wait_seconds_total)", steps(GREEN, (.5, YELLOW))),
    stat("Learner waits", "percentunit", "Share of the learner's time that it waits for groups. Above a half with busy workers: add workers; with long reward "
         "queues: add reward servers.",
         'sum(rate(lvrpo_learner_phase_seconds_sum{phase="wait"}[RATE])) / sum(rate(lvrpo_learner_phase_seconds_sum[RATE]))', steps(GREEN, (.3, YELLOW), (.6, RED))),
    stat("Queue over computing", "short", "Seconds that requests wait for a scorer by seconds of computing. Above 1 for minutes: add reward servers.",
         "sum(rate(lvrpo_reward_queue_seconds_sum[RATE])) / sum(rate(lvrpo_reward_compute_seconds_sum[RATE]))", steps(GREEN, (1, YELLOW), (3, RED))),
    lines("Replicas wanted and there", "short", "What the autoscaler is told, and members that live. A gap that stays: no room for pods, or no autoscaler.",
          ("max by (pool) (lvrpo_coordinator_pool_replicas_wanted)", "{{pool}} wanted"), ("max by (role) (lvrpo_coordinator_members)", "{{role}} there")),
    lines("In flight", "short", "Groups that a pool works on.", ("max by (pool) (lvrpo_coordinator_pool_in_flight)", "{{pool}}"),
          ("max(lvrpo_coordinator_groups_wanted)", "groups wanted")),
    lines("Members lost", "cps", "Silent for too long: killed, evicted, or cut off. Look at the Kubernetes dashboard.",
          ("sum by (role) (rate(lvrpo_coordinator_members_lost_total[RATE]))", "{{role}}")),
]

ROLLOUT = [
    stacked("Seconds per group, by phase", "s", "Where a worker's time goes. score: waiting for rewards; upload: the learner or the network.",
            (mean("lvrpo_rollout_phase_seconds", "phase"), "{{phase}}")),
    quantiles("Seconds to sample a group", "A p95 far above the median: one worker is slow, or prompts differ in length.", "lvrpo_rollout_phase_seconds",
              matchers='{phase="sample"}'),
    quantiles("Seconds to score a group", "As a worker sees it, waiting included. Rises with the reward queue.", "lvrpo_rollout_phase_seconds",
              matchers='{phase="score"}'),
    lines("Time without work, by worker", "percentunit", "Uneven: one worker is refused or paused; its log says why.",
          ("sum by (member, instance) (rate(lvrpo_rollout_wait_seconds_total[RATE]))", "{{member}} {{instance}}")),
    stacked("Samples and images", "cps", "Generated in a second, by all workers.", ("sum(rate(lvrpo_rollout_samples_total[RATE]))", "samples"),
            ("sum(rate(lvrpo_rollout_images_total[RATE]))", "images")),
    stacked("Groups by outcome", "cps", "accepted, or why a group was retired or its lease returned: reward_unreachable, reward_failed, unscorable, ...",
            ("sum by (outcome) (rate(lvrpo_rollout_groups_total[RATE]))", "{{outcome}}")),
    lines("Leases expired", "percentunit", "Of leases that ended. Above .05: docs/runbooks.md, LeaseExpiryHigh.",
          ("sum(rate(lvrpo_coordinator_leases_expired_total[RATE])) / (sum(rate(lvrpo_coordinator_leases_expired_total[RATE])) + "
           "sum(rate(lvrpo_coordinator_groups_total[RATE])))", "expired"), thresholds=steps(GREEN, (.05, RED))),
    lines("Memory of workers", "bytes", "Climbs for hours: give more, and report it.",
          ("process_resident_memory_bytes and on (instance) lvrpo_rollout_version", "{{member}} {{instance}}")),
    lines("Processors used by workers", "short", "Processors kept busy. Far below the request: the pool is too large, or waits.",
          ("rate(process_cpu_seconds_total[RATE]) and on (instance) lvrpo_rollout_version", "{{member}} {{instance}}")),
]

REWARD = [
    lines("Queue", "short", "Requests that wait for a scorer or are computed. Grows: add reward servers.",
          ("sum by (component) (lvrpo_reward_queue_depth)", "{{component}}")),
    quantiles("Seconds in the queue", "Longer than computing for minutes: add reward servers.", "lvrpo_reward_queue_seconds", "component", "{{component}}"),
    quantiles("Seconds of computing", "A component that slows down alone: its model or the service behind it.", "lvrpo_reward_compute_seconds", "component", "{{component}}"),
    lines("Samples in a call", "short", "Near reward.batch_samples: saturated, add reward servers.",
          ("sum by (component) (rate(lvrpo_reward_batch_samples_total[RATE])) / sum by (component) (rate(lvrpo_reward_compute_seconds_count[RATE]))", "{{component}}")),
    stacked("Scores by outcome", "cps", "All but OK are samples without a score: docs/runbooks.md, RewardErrors.",
            ("sum by (component, outcome) (rate(lvrpo_reward_items_total[RATE]))", "{{component}} {{outcome}}")),
    stacked("Requests by outcome", "cps", "RESOURCE_EXHAUSTED: queues are full. DEADLINE_EXCEEDED: too slow.",
            ("sum by (outcome) (rate(lvrpo_reward_requests_total[RATE]))", "{{outcome}}")),
    lines("Seconds of the call at hand", "s", "Grows while a scorer hangs: restart that server.",
          ("max by (member, instance, component) (lvrpo_reward_busy_seconds)", "{{member}} {{component}}"), thresholds=steps(GREEN, (60, RED))),
    lines("Scores from the cache", "cps", "Repeated requests, for example of workers that lost an answer.",
          ("sum by (component) (rate(lvrpo_reward_cached_items_total[RATE]))", "{{component}}")),
    lines("Memory of reward servers", "bytes", "Climbs for hours: give more, and report it.",
          ("process_resident_memory_bytes and on (instance) lvrpo_reward_queue_depth", "{{member}} {{instance}}")),
]

ENDPOINT = [
    stacked("Questions to the endpoint", "cps", "reward.vqa_endpoint. All but ok: its server, key or limits (docs/remote_scorers.md, Errors).",
            ("sum by (outcome) (rate(lvrpo_reward_vqa_requests_total[RATE]))", "{{outcome}}")),
    lines("Tokens", "cps", "Paid for, in a second.", ("sum by (kind) (rate(lvrpo_reward_vqa_tokens_total[RATE]))", "{{kind}}")),
    lines("Cost per hour", "short", "In the currency of the prices that are set; 0 without prices.", ("3600 * sum(rate(lvrpo_reward_vqa_cost_total[RATE]))", "an hour")),
]

DASHBOARD = dashboard("lvrpo-pools", "LVRPO pools", "Rollout workers and reward servers: too few, too many, or ill.", [
    ("Sizes", SIZES), ("Rollout workers", ROLLOUT), ("Reward servers", REWARD), ("Endpoint that answers questions", ENDPOINT)])
