{{/* Beginning of all names, short enough for suffixes. */}}
{{- define "lvrpo.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 36 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 36 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 36 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What selects the pods of a role: (list root component). Never changes. */}}
{{- define "lvrpo.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: lvrpo
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Labels of an object: (list root component). */}}
{{- define "lvrpo.labels" -}}
{{- $root := index . 0 -}}
{{- $labels := include "lvrpo.selector" . | fromYaml -}}
{{- $_ := set $labels "app.kubernetes.io/part-of" "lvrpo" -}}
{{- $_ := set $labels "app.kubernetes.io/version" $root.Values.image.tag -}}
{{- $_ := set $labels "app.kubernetes.io/managed-by" $root.Release.Service -}}
{{- toYaml (mergeOverwrite $labels $root.Values.commonLabels) -}}
{{- end -}}

{{/* metadata of an object: (list root component name). */}}
{{- define "lvrpo.metadata" -}}
{{- $root := index . 0 -}}
name: {{ index . 2 }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "lvrpo.labels" (list $root (index . 1)) | nindent 2 }}
{{- with $root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "lvrpo.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag }}
{{- end -}}
{{- end -}}

{{/* The run's configuration as text. Devices follow from the roles' GPUs: all roles must see the same ones. */}}
{{- define "lvrpo.config" -}}
{{- if .Values.configFile -}}
{{ .Values.configFile }}
{{- else -}}
{{- $config := deepCopy .Values.config -}}
{{- range list "rollout" "reward" "learner" -}}
{{- $role := index $.Values . -}}
{{- $gpus := int (default 0 $role.gpus) -}}
{{- if eq . "reward" -}}{{- range $role.kinds -}}{{- $gpus = max $gpus (int (default 0 .gpus)) -}}{{- end -}}{{- end -}}
{{- if $gpus -}}
{{- $section := default dict (index $config .) -}}
{{- if not (hasKey $section "device") -}}{{- $section = merge (dict "device" "cuda") $section -}}{{- end -}}
{{- $_ := set $config . $section -}}
{{- end -}}
{{- end -}}
{{ toYaml $config }}
{{- end -}}
{{- end -}}

{{- define "lvrpo.configName" -}}
{{ include "lvrpo.fullname" . }}-run-{{ include "lvrpo.config" . | sha256sum | trunc 10 }}
{{- end -}}

{{- define "lvrpo.claimName" -}}
{{ default (printf "%s-run" (include "lvrpo.fullname" .)) .Values.storage.existingClaim }}
{{- end -}}

{{- define "lvrpo.runDir" -}}
/var/lib/lvrpo/{{ .Values.runName }}
{{- end -}}

{{- define "lvrpo.coordinatorAddress" -}}
{{ include "lvrpo.fullname" . }}-coordinator:7070
{{- end -}}

{{/* Name of the Secret with a role's certificate: (list root role). */}}
{{- define "lvrpo.tlsSecret" -}}
{{ include "lvrpo.fullname" (index . 0) }}-tls-{{ index . 1 }}
{{- end -}}

{{/* A role's values, with the defaults of all roles: (list root role). As YAML. */}}
{{- define "lvrpo.role" -}}
{{- toYaml (mergeOverwrite (deepCopy (index . 0).Values.defaults) (deepCopy (index (index . 0).Values (index . 1)))) -}}
{{- end -}}

{{/* The Deployments of the reward pool: {"items": [...]}. As YAML. */}}
{{- define "lvrpo.rewardKinds" -}}
{{- $base := include "lvrpo.role" (list . "reward") | fromYaml -}}
{{- $items := list -}}
{{- range (default (list (dict "name" "")) .Values.reward.kinds) -}}
{{- $items = append $items (mergeOverwrite (deepCopy (omit $base "kinds")) (deepCopy .)) -}}
{{- end -}}
{{- toYaml (dict "items" $items) -}}
{{- end -}}

{{/* Whether KEDA asks the coordinator: "yes" or empty. */}}
{{- define "lvrpo.kedaUsed" -}}
{{- if eq .Values.rollout.autoscaling.mode "keda" -}}yes{{- end -}}
{{- range (include "lvrpo.rewardKinds" . | fromYaml).items -}}{{- if eq .autoscaling.mode "keda" -}}yes{{- end -}}{{- end -}}
{{- end -}}

{{/* Affinity to the pods of another role on the same node: (list root role). */}}
{{- define "lvrpo.near" -}}
topologyKey: kubernetes.io/hostname
labelSelector:
  matchLabels:
    {{- include "lvrpo.selector" . | nindent 4 }}
{{- end -}}

{{/* Name of a Job: it carries a digest of what a Job cannot change, so that an upgrade renews it: (list name spec). */}}
{{- define "lvrpo.jobName" -}}
{{ index . 0 }}-{{ index . 1 | sha256sum | trunc 8 }}
{{- end -}}
