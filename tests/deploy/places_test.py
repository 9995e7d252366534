#!/usr/bin/env python3
"""deploy/compose.yaml and deploy/slurm/lvrpo.sbatch against the real binaries' flags, and the latter with a stand-in of Slurm.

    places_test.py BIN_DIR
"""
import functools
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, os.environ.get("LVRPO_PYTHON", str(ROOT / ".deps/python")))
import yaml  # noqa: E402

BIN = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else ROOT / "build/release/bin")
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
ROLES = {"coordinator": "lvrpo-coordinator", "learner": "lvrpo-learner", "rollout": "lvrpo-rollout-worker", "reward": "lvrpo-reward-server",
         "evaluation": "lvrpo-evaluate"}
SBATCH = DEPLOY / "slurm/lvrpo.sbatch"


@functools.cache
def flags_of(program):
    text = subprocess.run([BIN / program, "--help"], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"--[a-z][a-z-]*", text))


def unknown_flags(words):
    """Flags of a command line that its program does not have."""
    return {w for w in words if w.startswith("--")} - flags_of(words[0])


def command(service):
    """A service's command line, without the shell around it."""
    words = service["command"]
    return shlex.split(words[2].replace("$$", "$"))[1:] if words[0] == "sh" else words


class Compose(unittest.TestCase):
    def test_every_role_runs_its_program(self):
        for role, program in ROLES.items():
            with self.subTest(role):
                words = command(COMPOSE["services"][role])
                self.assertEqual(words[0], program)
                self.assertEqual(unknown_flags(words), set())
                if role != "coordinator":
                    self.assertEqual(words[words.index("--coordinator") + 1], "coordinator:7070")

    def test_roles_are_locked_down(self):
        for role in ROLES:
            service = COMPOSE["services"][role]
            self.assertTrue(service["read_only"])
            self.assertEqual((service["cap_drop"], service["security_opt"]), (["ALL"], ["no-new-privileges:true"]))

    def test_who_uses_the_run_folder_has_its_volume(self):
        users = {r for r in ROLES if "--run-dir" in command(COMPOSE["services"][r])}
        self.assertEqual(users, {r for r in ROLES if "run:/var/lib/lvrpo" in COMPOSE["services"][r]["volumes"]})
        self.assertEqual(users, {"coordinator", "learner", "evaluation"})

    def test_what_is_mounted_is_there(self):
        for name, service in COMPOSE["services"].items():
            for source, *_ in (v.split(":") for v in service["volumes"]):
                with self.subTest(name, source=source):
                    self.assertTrue(source in COMPOSE["volumes"] or (DEPLOY / source).exists())

    def test_nothing_listens_beyond_this_machine(self):
        for service in COMPOSE["services"].values():
            for port in service.get("ports", []):
                self.assertTrue(port.startswith("127.0.0.1:"))

    def test_images_have_fixed_tags(self):
        for service in COMPOSE["services"].values():
            self.assertRegex(service["image"], r":(v?[0-9.]+)\}?$")

    def test_prometheus_scrapes_every_role(self):
        (job,) = yaml.safe_load((DEPLOY / "prometheus/compose.yml").read_text())["scrape_configs"]
        (found,) = job["dns_sd_configs"]
        self.assertEqual(set(found["names"]), set(ROLES))
        for role in ROLES:
            words = command(COMPOSE["services"][role])
            self.assertEqual(words[words.index("--metrics-listen") + 1], f"0.0.0.0:{found['port']}")
        cluster = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())["scrape_configs"][0]
        targets = lambda j: {r["target_label"] for r in j["relabel_configs"] if "target_label" in r}  # noqa: E731
        self.assertLessEqual(targets(job), targets(cluster))  # so that dashboards and alerts hold in both

    def test_grafana_finds_its_data_and_dashboards(self):
        (source,) = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text())["datasources"]
        self.assertEqual(source["url"], "http://prometheus:9090")
        (provider,) = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/lvrpo.yaml").read_text())["providers"]
        grafana = COMPOSE["services"]["grafana"]
        self.assertIn(f"./grafana:{provider['options']['path']}:ro", grafana["volumes"])
        home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
        self.assertTrue((DEPLOY / "grafana" / pathlib.Path(home).name).exists())


# A Slurm of one machine: srun runs the last argument's shell line; programs are stand-ins that log and end as told.
SRUN = """#!/bin/bash
export SLURM_PROCID=0
exec bash -c "${@: -1}"
"""
SCONTROL = """#!/bin/bash
case $1 in show) printf '%s\\n' $NODES ;; *) echo "scontrol $*" >> "$LOG" ;; esac
"""
# Learners end with the next of $CODES; coordinator and pools stay until SIGTERM; evaluation ends at once.
PROGRAM = """#!/bin/bash
name=$(basename "$0")
echo "$name $*" >> "$LOG"
case $name in
  lvrpo-learner)
    n=$(grep -c '^lvrpo-learner' "$LOG")
    code=$(cut -d' ' -f"$n" <<< "$CODES")
    [ "$code" = wait ] || exit "$code"
    trap 'exit 75' TERM
    kill -TERM "$BATCH"
    while :; do sleep 0.02; done ;;
  lvrpo-evaluate) exit 0 ;;
  *) trap 'exit 0' TERM; while :; do sleep 0.02; done ;;
esac
"""


class Slurm(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "bin").mkdir()
        programs = {"srun": SRUN, "scontrol": SCONTROL, **{p: PROGRAM for p in ROLES.values()}}
        for name, text in programs.items():
            (self.folder / "bin" / name).write_text(text)
            (self.folder / "bin" / name).chmod(0o755)

    def run_batch(self, nodes="a b c", codes="0", **more):
        """(exit code, lines that were logged or printed)."""
        log = self.folder / "log"
        environment = dict(os.environ, PATH=f"{self.folder}/bin:{os.environ['PATH']}", NODES=nodes, CODES=codes, LOG=str(log),
                           SLURM_JOB_NODELIST="x", SLURM_JOB_ID="7", SLURM_SUBMIT_DIR=str(self.folder), LVRPO_PAUSE="0", **more)
        # BATCH: the batch shell's process id, for the stand-ins.
        result = subprocess.run(["bash", "-c", f"export BATCH=$$; exec bash {shlex.quote(str(SBATCH))}"], env=environment, capture_output=True,
                                text=True, timeout=60)
        return result.returncode, (log.read_text() if log.exists() else "").splitlines() + result.stdout.splitlines()

    def commands(self, **more):
        """Role's program -> (its command line, srun's), of a dry run."""
        code, lines = self.run_batch(LVRPO_DRY_RUN="1", **more)
        self.assertEqual(code, 0)
        found = {}
        for line in lines:
            srun = shlex.split(line)
            words = shlex.split(srun[-1])[1:]
            found[words[0]] = (words, srun)
        return found

    def test_dry_run_prints_commands_that_the_binaries_know(self):
        found = self.commands()
        self.assertEqual(set(found), set(ROLES.values()))
        for words, _ in found.values():
            self.assertEqual(unknown_flags(words), set())

    def test_roles_are_on_their_nodes(self):
        found = self.commands(LVRPO_WORKERS="4")
        for program in ("lvrpo-coordinator", "lvrpo-learner", "lvrpo-evaluate", "lvrpo-reward-server"):
            self.assertIn("--nodelist=a", found[program][1])
        self.assertLessEqual({"--nodelist=b,c", "--nodes=2", "--ntasks=8"}, set(found["lvrpo-rollout-worker"][1]))
        self.assertLessEqual({"--nodelist=a", "--ntasks=2"}, set(self.commands(nodes="a")["lvrpo-rollout-worker"][1]))

    def test_tls_takes_the_place_of_plain_text(self):
        for words, _ in self.commands(LVRPO_TLS="/certs of mine").values():
            self.assertEqual(words[words.index("--tls") + 1], "/certs of mine")
            self.assertNotIn("--insecure", words)

    def test_a_finished_run_ends_the_job(self):
        code, lines = self.run_batch(codes="0")
        self.assertEqual(code, 0)
        self.assertEqual(sum(line.startswith("lvrpo-learner") for line in lines), 1)
        self.assertNotIn("scontrol requeue 7", lines)

    def test_a_learner_that_may_be_tried_again_is(self):
        code, lines = self.run_batch(codes="75 137 69 0")
        self.assertEqual(code, 0)
        self.assertEqual(sum(line.startswith("lvrpo-learner") for line in lines), 4)

    def test_what_cannot_get_better_ends_the_job(self):
        for final in ("2", "64", "65", "76"):
            with self.subTest(final):
                (self.folder / "log").unlink(missing_ok=True)
                code, lines = self.run_batch(codes=final)
                self.assertEqual(code, int(final))
                self.assertEqual(sum(line.startswith("lvrpo-learner") for line in lines), 1)

    def test_a_job_that_must_leave_queues_again(self):
        code, lines = self.run_batch(codes="wait")
        self.assertEqual(code, 0)
        self.assertIn("scontrol requeue 7", lines)


if __name__ == "__main__":
    unittest.main()
