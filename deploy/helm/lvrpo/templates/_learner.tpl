{{/* The Job's spec of the learner; also the template of a JobSet's replicated job. */}}
{{- define "lvrpo.learnerJobSpec" -}}
{{- $root := . -}}
{{- $role := include "lvrpo.role" (list . "learner") | fromYaml -}}
{{- $ranks := int $role.ranks -}}
{{- $shared := eq $role.runVolume "shared" -}}
{{- $args := list "lvrpo-learner" "--config" "/etc/lvrpo/run/run.yaml" "--coordinator" (include "lvrpo.coordinatorAddress" .)
      "--run-dir" (include "lvrpo.runDir" .) "--listen" "0.0.0.0:7071" "--advertise" "$(POD_IP):7071" "--metrics-listen" "0.0.0.0:9090"
      "--threads" (toString $role.threads) "--patience" "0" -}}
{{- $env := list -}}
{{- if gt $ranks 1 -}}
{{- $args = concat $args (list "--rank" "$(RANK)" "--ranks" (toString $ranks) "--set" "learner.trusted_network=true") -}}
{{- $env = list (dict "name" "RANK" "valueFrom" (dict "fieldRef" (dict "fieldPath" "metadata.annotations['batch.kubernetes.io/job-completion-index']"))) -}}
{{- end -}}
{{- $volumes := list -}}
{{- $mounts := list -}}
{{- if $role.stepCopies.enabled -}}
{{- $args = concat $args (list "--set" "learner.step_copies=/var/lib/lvrpo-steps") -}}
{{- $volumes = list (dict "name" "steps" "emptyDir" (dict "medium" "Memory" "sizeLimit" $role.stepCopies.sizeLimit)) -}}
{{- $mounts = list (dict "name" "steps" "mountPath" "/var/lib/lvrpo-steps") -}}
{{- end -}}
{{- $args = concat $args (include "lvrpo.transport" . | fromJsonArray) -}}
{{- $affinity := dict -}}
{{- if $shared -}}
{{- $affinity = dict "podAffinity" (dict "requiredDuringSchedulingIgnoredDuringExecution" (list (include "lvrpo.near" (list . "coordinator") | fromYaml))) -}}
{{- end -}}
{{- $resources := dict -}}
{{- if $role.rdma.enabled -}}
{{- $resources = dict $role.rdma.resourceName $role.rdma.count -}}
{{- end -}}
completionMode: Indexed
completions: {{ $ranks }}
parallelism: {{ $ranks }}
# Failures that count: something that is unreachable (69; but a coordinator is waited for as long as it takes), a bug (70), a killed
# process (137).
backoffLimit: {{ $role.backoffLimit }}
# Two learners at once would write one run folder.
podReplacementPolicy: Failed
podFailurePolicy:
  rules:
    # Bad usage, configuration or data and divergence do not get better by trying again (docs/operating.md).
    - action: FailJob
      onExitCodes:
        containerName: learner
        operator: In
        values: [2, 64, 65, 76]
    # Told to leave while the run goes on (eviction, a drained node), or left by another rank.
    - action: Ignore
      onExitCodes:
        containerName: learner
        operator: In
        values: [75]
    - action: Ignore
      onPodConditions:
        - {type: DisruptionTarget, status: "True"}
template:
  {{- include "lvrpo.podTemplate" (dict "root" . "role" $role "component" "learner" "args" $args "port" 7071 "metrics" true
        "run" (ternary "claim" "own" $shared) "affinity" $affinity "restart" "Never" "rules" true "volumes" $volumes "mounts" $mounts
        "env" $env "resources" $resources) | nindent 2 }}
{{- end -}}
