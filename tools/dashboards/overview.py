"""Does it learn, does it move, what blocks it."""
from .grafana import BLUE, GREEN, RED, YELLOW, dashboard, lines, panel, stacked, stat, steps

VALUE = "lvrpo_learner_step_value"

GLANCE = [
    stat("Progress", "percentunit", "Committed steps of the run's steps.",
         "max(lvrpo_coordinator_step) / max(lvrpo_coordinator_steps_wanted)", steps(BLUE, (1, GREEN))),
    stat("Time left", "s", "At the pace of the last 15 minutes. No value: no step was taken in them; look at 'Waits for'.",
         "(max(lvrpo_coordinator_steps_wanted) - max(lvrpo_coordinator_step)) / (max(deriv(lvrpo_coordinator_step[15m])) > 0)",
         defaults={"noValue": "no step"}),
    stat("Waits for", "s", "What the run waits for, and for how long: 'lease' and 'groups' are a run at work, docs/runbooks.md (RunStalled) "
         "says what to do about each other.", "topk(1, max by (on) (lvrpo_coordinator_blocked_seconds) > 0)",
         steps(GREEN, (60, YELLOW), (600, RED)), "{{on}}", defaults={"noValue": "nothing"}),
    stat("Since progress", "s", "Since a group or a step was accepted. Above ten minutes the run has stalled, unless its steps are that long.",
         "time() - max(lvrpo_coordinator_last_progress_timestamp_seconds)", steps(GREEN, (120, YELLOW), (600, RED))),
    stat("Held-out gain", "percentunit", "Held-out score of the newest evaluation less that of the base weights. Below 0 the run does harm: "
         "docs/runbooks.md, HeldOutFalling.", "max(lvrpo_coordinator_heldout_gain)", steps(RED, (-.05, YELLOW), (0, GREEN)),
         defaults={"noValue": "not evaluated"}),
    stat("Alerts", "short", "Alerts of this run that fire (deploy/prometheus/rules.yml). docs/runbooks.md has a section for each.",
         'count(ALERTS{namespace=~"$namespace",run="$run",alertstate="firing"}) or vector(0)', steps(GREEN, (1, RED))),
    stat("Members", "short", "Live members by role. 0 of any: start it.", 'max by (role) (lvrpo_coordinator_members{role!="evaluation"})',
         steps(RED, (1, GREEN)), "{{role}}", width=8),
    stat("Free disk", "percentunit", "Where the run folder is. Below a tenth: free or enlarge it, a full disk stops the run.",
         "min(lvrpo_disk_free_bytes / lvrpo_disk_size_bytes)", steps(RED, (.1, YELLOW), (.2, GREEN))),
    stat("Checkpoint age", "s", "What a crash would cost. Above an hour: docs/runbooks.md, CheckpointOld.",
         "time() - max(lvrpo_learner_checkpoint_timestamp_seconds > 0)", steps(GREEN, (1800, YELLOW), (3600, RED))),
    stat("Not finite, last hour", "short", "Updates left out because of NaN or infinity. Above 0: docs/runbooks.md, NonFinite.",
         "sum(increase(lvrpo_learner_nonfinite_total[1h]))", steps(GREEN, (1, RED))),
    stat("Versions", "short", "Versions of programs in this run. More than 1 is fine during an upgrade and not for longer.",
         "count(count by (version) (lvrpo_build_info))", steps(GREEN, (2, YELLOW))),
]

LEARNS = [
    lines("Reward", "short", "Mean reward of the steps' samples; a band of noise of one step is usual. Flat from the start: look at 'Groups that "
          "teach nothing' and at RL health.", (VALUE + '{name="reward"}', "reward")),
    lines("Held-out score", "percentunit", "Share of held-out images that the checker finds right. It should rise with the reward; when it falls "
          "while the reward rises, the policy deceives the reward.", ("max(lvrpo_coordinator_heldout_score)", "score"),
          ("max(lvrpo_coordinator_heldout_gain)", "gain over the base")),
    lines("Reward by component", "short", "Which component learns. One that rises alone while others fall is a sign of hacking.",
          (VALUE + '{name=~"reward_.*",name!="reward_std_in_group"}', "{{name}}")),
    lines("Groups that teach nothing", "percentunit", "Share of groups whose samples all got the same reward. Above .8: other prompts, or the run is "
          "done (docs/runbooks.md, ZeroVarianceHigh).",
          ('sum(rate(lvrpo_coordinator_groups_total{outcome="zero_variance"}[RATE])) / sum(rate(lvrpo_coordinator_groups_total[RATE]))', "zero variance"),
          thresholds=steps(GREEN, (.8, RED))),
    lines("Spread of rewards in a group", "short", "What can be learned from: 0 means nothing.", (VALUE + '{name="reward_std_in_group"}', "std")),
    lines("KL to the base policy", "short", "Grows slowly in a healthy run. A jump: docs/runbooks.md, KLJump.",
          (VALUE + '{name=~".*_kl"}', "{{name}}")),
]

MOVES = [
    lines("Step", "short", "Committed and wanted. Flat: the run has stalled; see what blocks it.", ("max(lvrpo_coordinator_step)", "committed"),
          ("max(lvrpo_coordinator_steps_wanted)", "wanted")),
    lines("Steps per hour", "short", "Falls when a pool shrinks or the disk slows down: compare with 'Seconds per step, by phase'.",
          ("3600 * sum(rate(lvrpo_learner_steps_total[RATE]))", "steps per hour")),
    lines("Samples per second", "cps", "Generated and trained on. A gap that stays: groups are thrown away (see 'Groups by outcome').",
          ("sum(rate(lvrpo_rollout_samples_total[RATE]))", "generated"), ("sum(rate(lvrpo_learner_samples_total[RATE]))", "trained on")),
    stacked("Seconds per step, by phase", "s", "wait: for groups; add to the pool that is busy (dashboard LVRPO pools). checkpoint, commit: the disk. "
            "publish: the network.",
            ("sum by (phase) (rate(lvrpo_learner_phase_seconds_sum[RATE])) / on () group_left sum(rate(lvrpo_learner_steps_total[RATE]))", "{{phase}}")),
    stacked("Groups on their way", "short", "By state. All planned: no workers. All leased: sampling or scoring is slow. All complete or assigned: the "
            "learner is the limit.", ("max by (state) (lvrpo_coordinator_open_groups)", "{{state}}")),
    stacked("Groups by outcome", "cps", "What became of groups: all but accepted were paid for and not trained on.",
            ("sum by (outcome) (rate(lvrpo_coordinator_groups_total[RATE]))", "{{outcome}}")),
]

BLOCKS = [
    lines("Waits for", "s", "For how long the run has waited for one thing. Lines that climb are stalls; docs/runbooks.md, RunStalled, has a row for each.",
          ("max by (on) (lvrpo_coordinator_blocked_seconds) > 0", "{{on}}"), thresholds=steps(GREEN, (600, RED))),
    lines("Members", "short", "Live members by role. A drop: look at its pods.", ("max by (role) (lvrpo_coordinator_members)", "{{role}}")),
    lines("Members lost and leases expired", "cps", "Members that fell silent, and leases that nobody delivered. Steady: memory, spot nodes, network.",
          ("sum by (role) (rate(lvrpo_coordinator_members_lost_total[RATE]))", "{{role}} lost"),
          ("sum(rate(lvrpo_coordinator_leases_expired_total[RATE]))", "leases expired")),
    lines("Refusals", "cps", "Requests that the coordinator refused. contract_mismatch, config_mismatch: a member does not fit the run; stale_epoch "
          "for seconds after a restart is usual.", ("sum by (reason) (rate(lvrpo_coordinator_refusals_total[RATE]))", "{{reason}}")),
    lines("Uploads to the learner", "cps", "Groups received, or why not: RESOURCE_EXHAUSTED for long means a full spool or disk.",
          ("sum by (outcome) (rate(lvrpo_learner_uploads_total[RATE]))", "{{outcome}}")),
    lines("Repeated score calls", "cps", "Workers that had to ask again for scores. Steady: reward servers are too few, or a scorer fails.",
          ("sum(rate(lvrpo_rollout_reward_retries_total[RATE]))", "repeated")),
]

# Of all runs of the namespace, not of one.
EVERY = 'namespace=~"$namespace"'
RUNS = [panel("table", "All runs", "short", "Every run that has a coordinator now: choose one at the top. A run whose 'since progress' is long has stalled.",
              [], width=24, height=7, options={"showHeader": True, "sortBy": [{"displayName": "run", "desc": True}]},
              transformations=[{"id": "merge", "options": {}},
                               {"id": "organize", "options": {"excludeByName": {"Time": True}, "renameByName": {
                                   "Value #A": "step", "Value #B": "steps wanted", "Value #C": "since progress", "Value #D": "held-out gain"}}}],
              overrides=[{"matcher": {"id": "byName", "options": "since progress"}, "properties": [{"id": "unit", "value": "s"}]},
                         {"matcher": {"id": "byName", "options": "held-out gain"}, "properties": [{"id": "unit", "value": "percentunit"}]}])]
RUNS[0]["targets"] = [
    {"refId": chr(65 + i), "datasource": RUNS[0]["datasource"], "expr": expression, "legendFormat": "", "instant": True, "range": False, "format": "table"}
    for i, expression in enumerate(f"{before}max by (namespace, run) ({metric}{{{EVERY}}})" for before, metric in (
        ("", "lvrpo_coordinator_step"), ("", "lvrpo_coordinator_steps_wanted"),
        ("time() - ", "lvrpo_coordinator_last_progress_timestamp_seconds"), ("", "lvrpo_coordinator_heldout_gain")))]

DASHBOARD = dashboard("lvrpo-overview", "LVRPO overview", "Does the run learn, does it move, and what blocks it.", [
    ("At a glance", GLANCE), ("Does it learn?", LEARNS), ("Does it move?", MOVES), ("What blocks it?", BLOCKS), ("Runs", RUNS)])
