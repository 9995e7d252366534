{{- define "lvrpo.evaluationJobSpec" -}}
{{- $role := include "lvrpo.role" (list . "evaluation") | fromYaml -}}
{{- $args := concat (list "lvrpo-evaluate" "--follow" "--config" "/etc/lvrpo/run/run.yaml" "--coordinator" (include "lvrpo.coordinatorAddress" .)
      "--run-dir" (include "lvrpo.runDir" .) "--metrics-listen" "0.0.0.0:9090" "--threads" (toString $role.threads) "--patience" "0")
      (ternary (list) (list "--tls" "/etc/lvrpo/tls") (eq .Values.tls.mode "none")) -}}
{{- $affinity := dict "podAffinity" (dict "requiredDuringSchedulingIgnoredDuringExecution" (list (include "lvrpo.near" (list . "coordinator") | fromYaml))) -}}
backoffLimit: {{ $role.backoffLimit }}
podReplacementPolicy: Failed
podFailurePolicy:
  rules:
    - action: FailJob
      onExitCodes:
        containerName: evaluation
        operator: In
        values: [2, 64, 65, 76]
    - action: Ignore
      onExitCodes:
        containerName: evaluation
        operator: In
        values: [75]
    - action: Ignore
      onPodConditions:
        - {type: DisruptionTarget, status: "True"}
template:
  {{- include "lvrpo.podTemplate" (dict "root" . "role" $role "component" "evaluation" "args" $args "port" 0 "metrics" true "run" "claim"
        "affinity" $affinity "restart" "Never") | nindent 2 }}
{{- end -}}
