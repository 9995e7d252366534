"""What Kubernetes says of the pods: needs kube-state-metrics and the kubelets' metrics, as kube-prometheus-stack brings them."""
from .grafana import GREEN, RED, YELLOW, dashboard, lines, stat, steps

IN = 'namespace=~"$namespace"'
USED = f'{IN},container!="",container!="POD"'

GLANCE = [
    stat("Pods running", "short", "In the namespace. Fewer than wanted: look at pods that wait.", f'sum(kube_pod_status_phase{{{IN},phase="Running"}})'),
    stat("Pods waiting", "short", "Pending. kubectl describe pod says why: resources, volume, taint.", f'sum(kube_pod_status_phase{{{IN},phase="Pending"}})', steps(GREEN, (1, YELLOW))),
    stat("Restarts, last hour", "short", "Of containers. Look at exit codes in docs/operating.md.", f"sum(increase(kube_pod_container_status_restarts_total{{{IN}}}[1h]))",
         steps(GREEN, (1, YELLOW), (5, RED))),
    stat("Killed for memory", "short", "Containers whose last end was that. Give them more memory.",
         f'sum(kube_pod_container_status_last_terminated_reason{{{IN},reason="OOMKilled"}})', steps(GREEN, (1, RED)), defaults={"noValue": "0"}),
    stat("Jobs failed", "short", "The learner's. It must be deleted and applied again; its log says what is wrong.", f"sum(kube_job_status_failed{{{IN}}})", steps(GREEN, (1, RED)), defaults={"noValue": "0"}),
    stat("Fullest volume", "percentunit", "Above .9: enlarge the claim.",
         f"max(kubelet_volume_stats_used_bytes{{{IN}}} / kubelet_volume_stats_capacity_bytes{{{IN}}})", steps(GREEN, (.8, YELLOW), (.9, RED))),
]
PODS = [
    lines("Replicas", "short", "Wanted and ready. A gap: pods wait or do not get ready (/readyz says why).",
          (f"kube_deployment_spec_replicas{{{IN}}}", "{{deployment}} wanted"), (f"kube_deployment_status_replicas_ready{{{IN}}}", "{{deployment}} ready"),
          (f"kube_statefulset_status_replicas_ready{{{IN}}}", "{{statefulset}} ready")),
    lines("Autoscalers", "short", "What each wants, has, and may have. Wanted at its limit for long: raise the limit.",
          (f"kube_horizontalpodautoscaler_status_desired_replicas{{{IN}}}", "{{horizontalpodautoscaler}} wants"),
          (f"kube_horizontalpodautoscaler_status_current_replicas{{{IN}}}", "{{horizontalpodautoscaler}} has"),
          (f"kube_horizontalpodautoscaler_spec_max_replicas{{{IN}}}", "{{horizontalpodautoscaler}} at most")),
    lines("Restarts", "short", "Of containers, in an hour. Steady: the pod's log before its end.",
          (f"sum by (pod) (increase(kube_pod_container_status_restarts_total{{{IN}}}[1h])) > 0", "{{pod}}")),
]
USE = [
    lines("Processors used", "short", "By pod.", (f"sum by (pod) (rate(container_cpu_usage_seconds_total{{{USED}}}[RATE]))", "{{pod}}")),
    lines("Held back", "percentunit", "Share of periods in which a container was out of processors. High: raise or remove the limit.",
          (f"sum by (pod) (rate(container_cpu_cfs_throttled_periods_total{{{USED}}}[RATE])) / sum by (pod) (rate(container_cpu_cfs_periods_total{{{USED}}}[RATE]))", "{{pod}}")),
    lines("Memory of the limit", "percentunit", "Near 1: it will be killed; raise the limit.",
          (f'sum by (pod) (container_memory_working_set_bytes{{{USED}}}) / sum by (pod) (kube_pod_container_resource_limits{{{IN},resource="memory"}})', "{{pod}}"),
          thresholds=steps(GREEN, (.9, RED))),
    lines("Memory", "bytes", "By pod.", (f"sum by (pod) (container_memory_working_set_bytes{{{USED}}})", "{{pod}}")),
    lines("Network", "Bps", "Sent and received, by pod. Weights and trajectories.", (f"sum by (pod) (rate(container_network_transmit_bytes_total{{{IN}}}[RATE]))", "{{pod}} sent"),
          (f"sum by (pod) (rate(container_network_receive_bytes_total{{{IN}}}[RATE]))", "{{pod}} received")),
    lines("Volumes", "percentunit", "Used. Above .9: enlarge the claim (docs/runbooks.md, DiskFull).",
          (f"kubelet_volume_stats_used_bytes{{{IN}}} / kubelet_volume_stats_capacity_bytes{{{IN}}}", "{{persistentvolumeclaim}}"), thresholds=steps(GREEN, (.9, RED))),
]
GPUS = [
    lines("GPU used", "percent", "Needs NVIDIA's DCGM exporter. Low at the learner: it waits; low at workers: too many.", (f"DCGM_FI_DEV_GPU_UTIL{{{IN}}}", "{{pod}} {{gpu}}")),
    lines("GPU memory", "decmbytes", "Used. At the card's size: smaller batches.", (f"DCGM_FI_DEV_FB_USED{{{IN}}}", "{{pod}} {{gpu}}")),
    lines("GPU errors", "short", "XID of the newest error: drain the node.", (f"DCGM_FI_DEV_XID_ERRORS{{{IN}}} > 0", "{{pod}} {{gpu}}")),
]

DASHBOARD = dashboard("lvrpo-kubernetes", "LVRPO Kubernetes", "Pods, autoscalers, resources and volumes of the namespace.", [
    ("At a glance", GLANCE), ("Pods", PODS), ("Resources", USE), ("GPUs", GPUS)], of_a_run=False)
