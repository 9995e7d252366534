#!/usr/bin/env python3
"""Holds the alerts of deploy/prometheus/rules.yml against made-up series in promtool: each fires in trouble, not before its time
and not just below its threshold, and clears afterwards. And the rules against docs/runbooks.md and the catalogue of metrics.

    alerts_test.py BIN_DIR
"""
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import catalogue

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else ROOT / "build/release/bin")
RULES = ROOT / "deploy/prometheus/rules.yml"
START, TROUBLE, END = 30, 60, 160  # minutes: trouble begins, lasts, and everything is over
GONE = None


def gauge(good, bad, below):
    return {"kind": "gauge", "good": good, "bad": bad, "below": below}


def counter(good, bad, below):
    """Rises by that much a minute."""
    return {"kind": "counter", "good": good, "bad": bad, "below": below}


def clock(age, frozen_below=GONE):
    """A time stamp `age` seconds ago, that stands still in trouble; just below: is never older than that."""
    return {"kind": "clock", "good": age, "bad": GONE, "below": frozen_below}


def always(value):
    return gauge(value, value, value)


def steady(rate):
    return counter(rate, rate, rate)


STEP, WANTED, EPOCH = "lvrpo_coordinator_step", "lvrpo_coordinator_steps_wanted", "lvrpo_coordinator_run_epoch"
RUNNING = {STEP: always(5), WANTED: always(10), EPOCH: always(1), 'lvrpo_role_state{state="serving"}': always(1)}
GROUPS = "lvrpo_coordinator_groups_total"
VALUE = "lvrpo_learner_step_value"
PHASE = "lvrpo_learner_phase_seconds_sum"


def members(role, below=1):
    return RUNNING | {f'lvrpo_coordinator_members{{role="{role}"}}': gauge(2, 0, below)}


def value(name, good, bad, below):
    return {f'{VALUE}{{name="{name}"}}': gauge(good, bad, below)}


# Alert: [(series by metric, minutes of trouble after which it must not fire yet, after which it must, after which it still must
# when that is not the whole trouble)]; before it, just below it and at END it must not.
CASES = {
    "CoordinatorDown": [
        ({STEP: gauge(5, GONE, 5), WANTED: gauge(10, GONE, 10), EPOCH: gauge(1, GONE, 1)}, 1, 4),
        # Just below: it was drained before it went.
        ({STEP: gauge(5, GONE, GONE), WANTED: gauge(10, GONE, GONE), EPOCH: gauge(1, GONE, GONE),
          'lvrpo_role_state{state="draining"}': gauge(0, 0, 1)}, 1, 4)],
    "CoordinatorRestarted": [({EPOCH: gauge(4, 7, 6)}, -1, 1)],
    "RunStalled": [
        (RUNNING | {"lvrpo_coordinator_last_progress_timestamp_seconds": clock(5, 590)}, 9, 12),
        # Steps that take five minutes may be waited for.
        (RUNNING | {"lvrpo_coordinator_last_progress_timestamp_seconds": clock(5, 1400), f'{PHASE}{{phase="update"}}': steady(60),
                    "lvrpo_learner_steps_total": steady(.2)}, 24, 28)],
    "LearnerGone": [(members("learner"), 4, 7), (members("learner", 0) | {STEP: gauge(5, 5, 10)}, 4, 7)],
    "RolloutGone": [(members("rollout"), 4, 7)],
    "RewardGone": [(members("reward"), 4, 7)],
    "LearnerStarved": [(RUNNING | {f'{PHASE}{{phase="wait"}}': counter(10, 50, 29), f'{PHASE}{{phase="update"}}': steady(30)}, 30, 45)],
    "RolloutsIdle": [(RUNNING | {"lvrpo_rollout_wait_seconds_total": counter(3, 50, 29)}, 30, 45)],
    "RecordsDegraded": [({"lvrpo_coordinator_degraded": gauge(0, 1, 0)}, 0, 2)],
    "DiskFull": [({'lvrpo_disk_free_bytes{place="run"}': gauge(500, 90, 110), 'lvrpo_disk_size_bytes{place="run"}': always(1000)}, 1, 3)],
    "CheckpointOld": [
        (RUNNING | {"lvrpo_learner_checkpoint_timestamp_seconds": clock(900, 3500), "lvrpo_learner_steps_total": steady(2)}, 48, 52),
        # Nothing is trained, so there is nothing to save.
        (RUNNING | {"lvrpo_learner_checkpoint_timestamp_seconds": clock(900), "lvrpo_learner_steps_total": counter(2, 2, 0)}, 48, 52)],
    "CheckpointUploadFailing": [({"lvrpo_learner_checkpoints_not_stored": gauge(0, 2, 0)}, 25, 32)],
    "MembersLost": [({'lvrpo_coordinator_members_lost_total{role="rollout"}': counter(0, .1, .08)}, 4, 30)],
    "LeaseExpiryHigh": [({"lvrpo_coordinator_leases_expired_total": counter(0, 2, .4), f'{GROUPS}{{outcome="accepted"}}': steady(10)},
                         4, 14)],
    "WeightSyncFailing": [({"lvrpo_rollout_weight_failures_total": counter(0, 1, .25)}, 2, 10)],
    "WeightsOld": [(RUNNING | {"lvrpo_rollout_version": gauge(4, 0, 1)}, 9, 12)],
    "VersionSkew": [
        ({'lvrpo_build_info{role="learner",version="1"}': always(1), 'lvrpo_build_info{role="reward",version="2"}':
          gauge(GONE, 1, GONE)}, 29, 32),
        ({"lvrpo_coordinator_members_of_other_version": gauge(0, 1, 0)}, 29, 32)],
    "RewardErrors": [({'lvrpo_reward_items_total{component="vqa",outcome="OK"}': steady(100),
                       'lvrpo_reward_items_total{component="vqa",outcome="TIMED_OUT"}': counter(0, 20, 4)}, 4, 14)],
    "RpcDenied": [
        ({'lvrpo_rpc_denied_total{method="/Drain",reason="not_allowed"}': counter(0, 2, 0)}, -1, 2),
        ({'lvrpo_rpc_denied_total{method="",reason="expired"}': gauge(GONE, 1, GONE)}, -1, 1, 15)],
    "CertificateExpiring": [({"lvrpo_tls_certificate_expiry_timestamp_seconds": gauge(40 * 86400, 6 * 86400, 7 * 86400 + 9000)}, 9, 12)],
    "NonFinite": [
        ({"lvrpo_learner_nonfinite_total": counter(0, 1, 0)}, -1, 2),
        ({f'{GROUPS}{{outcome="log_probs_not_finite"}}': counter(0, 1, 0), f'{GROUPS}{{outcome="accepted"}}': steady(9)}, -1, 2)],
    "RatioDrift": [(value("ratio_deviation_first_update", 0, .01, .0009), 4, 7)],
    "KLJump": [(value("image_kl", .01, .05, .029), 1, 4, 25)],
    "ClipHigh": [(value("image_clip_high", .02, .6, .28), 5, 20)],
    "ZeroVarianceHigh": [({f'{GROUPS}{{outcome="zero_variance"}}': counter(1, 90, 30), f'{GROUPS}{{outcome="accepted"}}': steady(10)},
                          15, 50)],
    "HeldOutFalling": [({"lvrpo_coordinator_heldout_score": gauge(.8, .65, .71)}, 4, 7),
                       ({"lvrpo_coordinator_heldout_gain": gauge(.1, -.06, -.04)}, 4, 7)],
    "HackingGuard": [(value("logged_artefacts", .1, .4, .24), 10, 30)],
}


def samples(spec, phase):
    """The series' value at each minute, in promtool's notation."""
    found, total, since = [], 0, None
    for minute in range(END + 1):
        troubled = START < minute <= START + TROUBLE
        now = spec[phase] if troubled else spec["good"]
        if spec["kind"] == "gauge":
            found.append(now)
        elif spec["kind"] == "counter":
            total += now
            found.append(round(total, 6))
        else:
            since = since if troubled and since is not None else minute * 60 - spec["good"]
            found.append(since if phase == "bad" or now is GONE else minute * 60 - now)
    return " ".join("stale" if v is GONE else str(v) for v in found)


def named(metric, run):
    name, _, labels = metric.partition("{")
    return f'{name}{{run="{run}"' + (f",{labels}" if labels else "}")


class Alerts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
        cls.alerts = {rule["alert"]: rule for rule in cls.rules if "alert" in rule}

    def promtool(self, tests):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "rules_test.yml"
            path.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [tests]}))
            result = subprocess.run(["promtool", "test", "rules", path], capture_output=True, text=True)
            self.assertEqual(result.returncode, 0, (result.stdout + result.stderr)[:6000])

    def test_each_fires_in_trouble_not_below_it_and_clears(self):
        series, checks = [], []

        def check(alert, run, minute, firing):
            firing = [{"labels": "{}", "value": 1}] if firing else []
            checks.append({"expr": f'count(count by (alertname) (ALERTS{{alertname="{alert}",run="{run}",alertstate="firing"}}))',
                           "eval_time": f"{minute}m", "exp_samples": firing})
        self.assertEqual(set(CASES), set(self.alerts), "each alert has its case")
        for alert, cases in CASES.items():
            for number, (metrics, not_yet, fires, *still) in enumerate(cases):
                for phase in ("bad", "below"):
                    run = f"{alert}-{number}-{phase}"
                    series += [{"series": named(metric, run), "values": samples(spec, phase)} for metric, spec in metrics.items()]
                    check(alert, run, START - 1, False)
                    check(alert, run, START + 1 + fires, phase == "bad")
                    check(alert, run, START + (still or [TROUBLE])[0], phase == "bad")
                    check(alert, run, START + 1 + not_yet, False)
                    check(alert, run, END, False)
        self.promtool({"interval": "1m", "input_series": series, "promql_expr_test": checks})

    def test_a_stalled_run_says_what_it_waits_for(self):
        labels = 'run="r",namespace="n"'
        series = {f"lvrpo_coordinator_step{{{labels}}}": "5x30", f"lvrpo_coordinator_steps_wanted{{{labels}}}": "10x30",
                  f"lvrpo_coordinator_last_progress_timestamp_seconds{{{labels}}}": "60x30",
                  f'lvrpo_coordinator_blocked_seconds{{{labels},on="disk"}}': "0+60x30",
                  f'lvrpo_coordinator_blocked_seconds{{{labels},on="scores"}}': "0x30"}
        rule = self.alerts["RunStalled"]["annotations"]
        expected = {"summary": "Run r makes no progress", "runbook_url": rule["runbook_url"],
                    "description": "Run r has accepted no group and no step for 14m 0s. It waits for: disk, for 15m 0s."}
        self.promtool({"interval": "1m", "input_series": [{"series": s, "values": v} for s, v in series.items()],
                       "alert_rule_test": [{"eval_time": "15m", "alertname": "RunStalled", "exp_alerts": [
                           {"exp_labels": {"severity": "page", "run": "r", "namespace": "n"}, "exp_annotations": expected}]}]})

    def test_each_alert_is_complete(self):
        for name, rule in self.alerts.items():
            with self.subTest(name):
                self.assertIn(rule["labels"]["severity"], ("page", "warn", "info"))
                self.assertTrue("for" in rule or "keep_firing_for" in rule, "it would flap")
                self.assertLessEqual({"summary", "description", "runbook_url"}, set(rule["annotations"]))
                self.assertIn("$labels.run", rule["annotations"]["summary"])
                self.assertIn("$value", rule["annotations"]["description"])
                self.assertEqual(rule["annotations"]["runbook_url"], f"docs/runbooks.md#{name.lower()}")

    def test_each_alert_has_its_runbook_and_no_runbook_is_left_over(self):
        sections = re.split(r"^## (\w+)$", (ROOT / "docs/runbooks.md").read_text(), flags=re.M)
        self.assertEqual(sections[1::2], list(self.alerts), "one section for each alert, in the order of the rules")
        for name, text in zip(sections[1::2], sections[2::2]):
            with self.subTest(name):
                for word in ("**Means.**", "**Look at.**", "**Do.**", "**Silence**"):
                    self.assertIn(word, text)

    def test_rules_use_metrics_and_label_values_that_exist(self):
        metrics = catalogue.read(BIN)
        recorded = {rule["record"] for rule in self.rules if "record" in rule}
        for rule in self.rules:
            with self.subTest(rule.get("alert") or rule.get("record")):
                self.assertEqual(catalogue.unknown(rule["expr"], metrics), [])
                self.assertLessEqual(set(re.findall(r"\brun:\w+(?::\w+)?", rule["expr"])), recorded)

    def test_promtool_accepts_them(self):
        result = subprocess.run(["promtool", "check", "rules", "--lint=all", "--lint-fatal", RULES], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        loaded = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["rule_files"]
        self.assertEqual(loaded, ["rules.yml"])


if __name__ == "__main__":
    unittest.main()
