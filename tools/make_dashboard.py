#!/usr/bin/env python3
"""Writes deploy/grafana/overview.json. Edit the panels here, run it, commit both.

    make_dashboard.py [--check]     --check: exit 1 when the file is not up to date, and write nothing
"""
import json
import pathlib
import sys

PANELS = [  # title, unit, [(expression, legend)]
    ("Step", "short", [("lvrpo_coordinator_step", "committed"), ("lvrpo_coordinator_steps_wanted", "wanted")]),
    ("Reward by component", "short", [('lvrpo_learner_step_value{name=~"reward|reward_.*",name!="reward_std_in_group"}', "{{name}}")]),
    ("Samples per second", "short", [("sum(rate(lvrpo_rollout_samples_total[1m]))", "generated"),
                                     ("sum(rate(lvrpo_learner_samples_total[1m]))", "trained on")]),
    ("Members", "short", [("lvrpo_coordinator_members", "{{role}}")]),
    ("Groups on their way", "short", [("lvrpo_coordinator_open_groups", "{{state}}")]),
    ("Groups by outcome, per second", "short", [("sum by (outcome) (rate(lvrpo_coordinator_groups_total[1m]))", "{{outcome}}")]),
    ("Seconds since progress", "s", [("time() - lvrpo_coordinator_last_progress_timestamp_seconds", "idle")]),
    ("Seconds per step, by phase", "s", [
        ("sum by (phase) (rate(lvrpo_learner_phase_seconds_sum[1m])) / sum by (phase) (rate(lvrpo_learner_phase_seconds_count[1m]))",
         "{{phase}}")]),
    ("Seconds per group, by phase", "s", [
        ("sum by (phase) (rate(lvrpo_rollout_phase_seconds_sum[1m])) / sum by (phase) (rate(lvrpo_rollout_phase_seconds_count[1m]))",
         "{{phase}}")]),
    ("Signs of reward hacking", "short", [('lvrpo_learner_step_value{name=~"logged_.*"}', "{{name}}")]),
    ("Reward queue", "short", [("lvrpo_reward_queue_depth", "{{member}} {{component}}")]),
    ("Reward server seconds", "s", [
        ("sum by (component) (rate(lvrpo_reward_queue_seconds_sum[1m])) / "
         "sum by (component) (rate(lvrpo_reward_queue_seconds_count[1m]))", "queue {{component}}"),
        ("sum by (component) (rate(lvrpo_reward_compute_seconds_sum[1m])) / "
         "sum by (component) (rate(lvrpo_reward_compute_seconds_count[1m]))", "compute {{component}}")]),
    ("Samples in a reward batch", "short", [
        ("sum by (component) (rate(lvrpo_reward_batch_samples_total[1m])) / "
         "sum by (component) (rate(lvrpo_reward_compute_seconds_count[1m]))", "{{component}}")]),
    ("Seconds of the reward call at hand", "s", [("lvrpo_reward_busy_seconds", "{{member}} {{component}}")]),
    ("Scores by outcome, per second", "short", [
        ("sum by (component, outcome) (rate(lvrpo_reward_items_total[1m]))", "{{component}} {{outcome}}")]),
    ("Ratio deviation (must be 0)", "short", [
        ('lvrpo_learner_step_value{name=~"ratio_deviation_first_update|sampler_log_prob_difference_same_version"}', "{{name}}")]),
    ("KL to the base policy", "short", [('lvrpo_learner_step_value{name=~".*_kl"}', "{{name}}")]),
    ("Gradient norm", "short", [('lvrpo_learner_step_value{name=~".*_gradient_norm.*"}', "{{name}}")]),
    ("Share clipped, by denoising step", "percentunit", [('lvrpo_learner_step_value{name=~"image_clip_step_.*"}', "{{name}}")]),
    ("Effective samples, and unique noise (must be 1)", "percentunit", [
        ('lvrpo_learner_step_value{name=~".*_effective_samples|unique_noise"}', "{{name}}")]),
    ("Seconds of ranks together, per second", "short", [
        ("sum by (instance, operation) (rate(lvrpo_learner_collective_seconds_sum[1m]))", "{{instance}} {{operation}}")]),
    ("Refusals per second", "short", [("sum by (reason) (rate(lvrpo_coordinator_refusals_total[1m]))", "{{reason}}")]),
    ("Weight bytes per second", "Bps", [("sum(rate(lvrpo_rollout_weight_bytes_total[1m]))", "received")]),
    ("Version in use", "short", [("lvrpo_rollout_version", "{{member}}")]),
    ("Mean score by component", "short", [
        ("sum by (component) (rate(lvrpo_reward_score_total[1m])) / "
         'sum by (component) (rate(lvrpo_reward_items_total{outcome="OK"}[1m]))', "{{component}}")]),
    ("Processes by role and version", "short", [
        ("count by (role, version) (lvrpo_build_info)", "{{role}} {{version}}")]),
]


def dashboard():
    """The file's text."""
    panels = []
    for i, (title, unit, targets) in enumerate(PANELS):
        panels.append({
            "id": i + 1, "type": "timeseries", "title": title, "datasource": {"type": "prometheus", "uid": "${datasource}"},
            "gridPos": {"x": i % 3 * 8, "y": i // 3 * 7, "w": 8, "h": 7},
            "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
            "targets": [{"refId": chr(65 + k), "expr": expression, "legendFormat": legend}
                        for k, (expression, legend) in enumerate(targets)],
        })
    return json.dumps({
        "title": "LVRPO overview", "uid": "lvrpo-overview", "schemaVersion": 39, "refresh": "5s",
        "time": {"from": "now-30m", "to": "now"}, "tags": ["lvrpo"], "editable": True, "panels": panels,
        "templating": {"list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}]},
    }, indent=1) + "\n"


def main():
    out = pathlib.Path(__file__).resolve().parents[1] / "deploy/grafana/overview.json"
    if "--check" in sys.argv:
        if out.read_text() != dashboard():
            sys.exit("deploy/grafana/overview.json is not up to date: run tools/make_dashboard.py")
        return
    out.write_text(dashboard())


if __name__ == "__main__":
    main()
