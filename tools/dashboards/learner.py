"""The learner, its checkpoints, the way of weights to the workers, and the coordinator's records."""
from .grafana import GREEN, RED, YELLOW, dashboard, lines, mean, quantiles, stacked, stat, steps

GLANCE = [
    stat("Steps per hour", "short", "Of the last interval.", "3600 * sum(rate(lvrpo_learner_steps_total[RATE]))"),
    stat("Waits for groups", "percentunit", "Share of the learner's time. High: dashboard LVRPO pools says which pool to enlarge.",
         'sum(rate(lvrpo_learner_phase_seconds_sum{phase="wait"}[RATE])) / sum(rate(lvrpo_learner_phase_seconds_sum[RATE]))', steps(GREEN, (.3, YELLOW), (.6, RED))),
    stat("Checkpoint age", "s", "What a crash would cost. Above an hour: docs/runbooks.md, CheckpointOld.",
         "time() - max(lvrpo_learner_checkpoint_timestamp_seconds > 0)", steps(GREEN, (1800, YELLOW), (3600, RED))),
    stat("Not stored", "short", "Checkpoints that wait for the object store. Above 0 for long: docs/runbooks.md, CheckpointUploadFailing.",
         "max(lvrpo_learner_checkpoints_not_stored)", steps(GREEN, (1, YELLOW), (3, RED))),
    stat("Ranks missing", "short", "Of the learner. Above 0 the run waits: start them.",
         "max(lvrpo_coordinator_learner_ranks_wanted) - max(lvrpo_coordinator_learner_ranks)", steps(GREEN, (1, RED))),
    stat("Certificate ends in", "s", "The first of this run. Below seven days: docs/runbooks.md, CertificateExpiring.",
         "min((lvrpo_tls_certificate_expiry_timestamp_seconds > 0) - time())", steps(RED, (7 * 86400, YELLOW), (14 * 86400, GREEN)),
         defaults={"noValue": "no TLS"}),
]

LEARNER = [
    stacked("Seconds per step, by phase", "s", "update: computing. publish: network. copy, commit, checkpoint: disk. wait: the pools.",
            ("sum by (phase) (rate(lvrpo_learner_phase_seconds_sum[RATE])) / on () group_left sum(rate(lvrpo_learner_steps_total[RATE]))", "{{phase}}")),
    quantiles("Seconds to update", "A p95 far above the median: another process on the machine, or a slow rank.", "lvrpo_learner_phase_seconds", matchers='{phase="update"}'),
    lines("Blocked by other ranks", "percentunit", "Share of its time in which a rank waits for all. The rank that is blocked least is the one that others wait for: look at its machine.",
          ("sum by (member, instance, operation) (rate(lvrpo_learner_collective_seconds_sum[RATE]))", "{{member}} {{instance}} {{operation}}")),
    lines("Operations of all ranks that failed", "cps", "Above 0: network, or a rank that died.",
          ("sum by (operation) (rate(lvrpo_learner_collective_failures_total[RATE]))", "{{operation}}")),
    lines("Trained again", "short", "Steps that were committed when the learner started, and were trained again. High: checkpoint more often, or keep step copies.",
          ("max(lvrpo_learner_steps_retrained)", "steps")),
    lines("Memory and processors", "bytes", "Of learner and coordinator.",
          ("process_resident_memory_bytes and on (instance) (lvrpo_learner_steps_total or lvrpo_coordinator_run_epoch)", "{{member}} {{instance}}")),
]

STORAGE = [
    lines("Free disk", "bytes", "Below a tenth: docs/runbooks.md, DiskFull.", ("min by (place, instance) (lvrpo_disk_free_bytes)", "{{place}} {{instance}}")),
    lines("Spool", "bytes", "Trajectories held. At train.spool_mib uploads are refused and workers wait.", ("sum(lvrpo_learner_spool_bytes)", "spool")),
    quantiles("Seconds to write a checkpoint", "In the background. Longer than the steps between two: slower disk, or fewer checkpoints.", "lvrpo_learner_checkpoint_write_seconds"),
    lines("Checkpoints", "short", "In an hour: written, sent, and tries to send that failed.",
          ("3600 * sum(rate(lvrpo_learner_checkpoints_total[RATE]))", "written"),
          ("3600 * sum by (outcome) (rate(lvrpo_learner_checkpoint_uploads_total[RATE]))", "{{outcome}}")),
    lines("Sent to the object store", "Bps", "0 without a store.", ("sum(rate(lvrpo_learner_checkpoint_upload_bytes_total[RATE]))", "sent")),
    lines("Records", "bytes", "Size of coordinator.sqlite and its log: about 4 KB a group.", ("max(lvrpo_coordinator_database_bytes)", "records")),
    quantiles("Seconds to write records", "Above .1: the volume is slow to sync, and every message waits for it.", "lvrpo_coordinator_database_write_seconds"),
    lines("Records cannot be written", "short", "1: docs/runbooks.md, RecordsDegraded.", ("max(lvrpo_coordinator_degraded)", "degraded"), thresholds=steps(GREEN, (1, RED))),
    lines("Trajectories received", "Bps", "From workers.", ("sum(rate(lvrpo_learner_trajectory_bytes_total[RATE]))", "received")),
]

WEIGHTS = [
    quantiles("Weight switch", "From a version's announcement to its use. Longer than a step: samples grow stale; more bandwidth, or NCCL.", "lvrpo_rollout_weight_seconds"),
    lines("Parts of a switch", "s", "Means. fetch: receiving; verify: hashing, at the same time; pause: sampling stands still.",
          *((mean(f"lvrpo_rollout_weight_{part}_seconds", "run"), part) for part in ("fetch", "verify", "pause"))),
    lines("Waiting for a broadcast", "s", "Mean, with weights.transport nccl. Long: one worker is late.", (mean("lvrpo_rollout_weight_gather_seconds", "run"), "gather")),
    lines("Weights in use", "short", "Version by worker, and the newest step. One that stays behind: restart it.",
          ("max by (member, instance) (lvrpo_rollout_version)", "{{member}} {{instance}}"), ("max(lvrpo_coordinator_step)", "newest step")),
    lines("Steps behind", "short", "Oldest weights in use. Above train.max_staleness its groups are thrown away (docs/runbooks.md, WeightsOld).",
          ("max(lvrpo_coordinator_step) - min(lvrpo_rollout_version)", "oldest"), thresholds=steps(GREEN, (5, RED))),
    lines("Failures", "cps", "Tries to bring a version into use that failed: docs/runbooks.md, WeightSyncFailing.",
          ("sum by (member, instance) (rate(lvrpo_rollout_weight_failures_total[RATE]))", "{{member}} {{instance}}")),
    stacked("Weights sent", "Bps", "By the learner, by transport, and by workers to each other.",
            ("sum by (transport) (rate(lvrpo_learner_weight_bytes_total[RATE]))", "learner {{transport}}"),
            ("sum(rate(lvrpo_rollout_weight_sent_bytes_total[RATE]))", "workers")),
    stacked("Weights received", "Bps", "By workers.", ("sum by (from, transport) (rate(lvrpo_rollout_weight_bytes_total[RATE]))", "from {{from}} {{transport}}")),
    lines("Broadcasts", "cps", "With NCCL: complete, failed, and workers that one began without.",
          ("sum by (outcome) (rate(lvrpo_learner_weight_broadcasts_total[RATE]))", "{{outcome}}"), ("sum(rate(lvrpo_learner_weight_late_total[RATE]))", "late")),
]

CALLS = [
    lines("Calls answered", "cps", "By method. A method that stops: its callers are gone.", ("sum by (method) (rate(lvrpo_rpc_server_handled_total[RATE]))", "{{method}}")),
    lines("Calls that failed", "cps", "By method and status code. UNAVAILABLE and FAILED_PRECONDITION for seconds after a restart are usual.",
          ('sum by (method, code) (rate(lvrpo_rpc_server_handled_total{code!="OK"}[RATE]))', "{{method}} {{code}}")),
    lines("Seconds of a call, p95", "s", "Waits for news included. A call that records something should take milliseconds.",
          ("histogram_quantile(0.95, sum by (le, method) (rate(lvrpo_rpc_server_seconds_bucket[RATE])))", "{{method}}")),
    lines("Refused before a service", "cps", "Certificates, rights and limits: docs/runbooks.md, RpcDenied.", ("sum by (reason) (rate(lvrpo_rpc_denied_total[RATE]))", "{{reason}}")),
    lines("Starts of the coordinator", "short", "Rises by 1 with each start.", ("max(lvrpo_coordinator_run_epoch)", "starts")),
    lines("Open files", "percentunit", "Of what a process may open. Near 1: raise the limit.", ("process_open_fds / process_max_fds", "{{member}} {{instance}}"), thresholds=steps(GREEN, (.8, RED))),
    lines("Programs by version", "short", "More than one for long: finish the upgrade (docs/runbooks.md, VersionSkew).", ("count by (role, version) (lvrpo_build_info)", "{{role}} {{version}}")),
]

DASHBOARD = dashboard("lvrpo-learner", "LVRPO learner and weights", "The learner's steps and checkpoints, weights on their way to workers, records and calls.", [
    ("At a glance", GLANCE), ("Learner", LEARNER), ("Disk, checkpoints, records", STORAGE), ("Weights", WEIGHTS), ("Calls and processes", CALLS)])
