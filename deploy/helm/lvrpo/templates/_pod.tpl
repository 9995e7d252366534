{{/*
The pod template of a role. A dict of
  root        the chart's top
  role        the role's values, with defaults
  component   coordinator, learner, rollout, reward, evaluation, inspect
  labels      more labels of the pod, or nil
  args        the program's arguments
  port        of its gRPC server, or 0
  metrics     whether it serves /metrics
  run         "claim": the run folder's volume; "own": one of the pod's own; "": none
  affinity    when the role gives none
  restart     restartPolicy of the pod, or "" (Always)
  rules       whether its container is started again after 75 and 137
  volumes, mounts, env, resources: more of each, lists and a dict, or nil
*/}}
{{- define "lvrpo.podTemplate" -}}
{{- $root := .root -}}
{{- $role := .role -}}
{{- $tls := ne $root.Values.tls.mode "none" -}}
metadata:
  labels:
    {{- $labels := include "lvrpo.labels" (list $root .component) | fromYaml }}
    {{- $labels = omit $labels "app.kubernetes.io/managed-by" }}
    {{- toYaml (mergeOverwrite $labels (default dict .labels) $role.podLabels) | nindent 4 }}
  {{- with merge (deepCopy $role.podAnnotations) $root.Values.commonAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "lvrpo.fullname" $root }}-{{ .component }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with .restart }}
  restartPolicy: {{ . }}
  {{- end }}
  terminationGracePeriodSeconds: {{ $role.terminationGracePeriodSeconds }}
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $role.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $role.schedulerName }}
  schedulerName: {{ . }}
  {{- end }}
  {{- with $role.runtimeClassName }}
  runtimeClassName: {{ . }}
  {{- end }}
  {{- with $role.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- $tolerations := $role.tolerations }}
  {{- if int $role.gpus }}
  {{- $tolerations = append $tolerations (dict "key" $role.gpuResourceName "operator" "Exists" "effect" "NoSchedule") }}
  {{- end }}
  {{- with $tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with merge (deepCopy $role.affinity) (default dict .affinity) }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- $spread := $role.topologySpreadConstraints }}
  {{- if and (not $spread) (has .component (list "rollout" "reward")) }}
  {{- $selector := dict "matchLabels" (include "lvrpo.selector" (list $root .component) | fromYaml) }}
  {{- $spread = list (dict "maxSkew" 1 "topologyKey" "kubernetes.io/hostname" "whenUnsatisfiable" "ScheduleAnyway" "labelSelector" $selector) }}
  {{- end }}
  {{- with $spread }}
  topologySpreadConstraints:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  {{- $models := and (or $root.Values.model.volume $root.Values.model.fetch.image) (ne .component "coordinator") }}
  {{- $fetch := and $models $root.Values.model.fetch.image }}
  {{- $own := eq .run "own" }}
  {{- if or $fetch $own }}
  initContainers:
  {{- end }}
  {{- if $own }}
    # The learner waits for its run folder, which on a shared volume the coordinator makes.
    - name: make-folder
      image: {{ include "lvrpo.image" $root }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args: [mkdir, -p, {{ include "lvrpo.runDir" $root }}]
      resources:
        requests: {cpu: 10m, memory: 16Mi}
        limits: {memory: 64Mi}
      securityContext:
        {{- include "lvrpo.containerSecurity" false | nindent 8 }}
      volumeMounts:
        - {name: run, mountPath: /var/lib/lvrpo}
  {{- end }}
  {{- if $fetch }}
    - name: fetch-model
      image: {{ $root.Values.model.fetch.image }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      {{- with $root.Values.model.fetch.command }}
      command:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $root.Values.model.fetch.args }}
      args:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $root.Values.model.fetch.env }}
      env:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $root.Values.model.fetch.envFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      resources:
        requests: {cpu: 500m, memory: 256Mi}
        limits: {memory: 1Gi}
      securityContext:
        {{- include "lvrpo.containerSecurity" false | nindent 8 }}
      volumeMounts:
        - {name: models, mountPath: {{ $root.Values.model.mountPath }}}
        - {name: tmp, mountPath: /tmp}
  {{- end }}
  containers:
    - name: {{ .component }}
      image: {{ include "lvrpo.image" $root }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      {{- if .rules }}
      # Killed, or told to try again, the container is started again in its pod (by a cluster without
      # ContainerRestartRules the pod is replaced).
      restartPolicy: Never
      restartPolicyRules:
        - action: Restart
          exitCodes: {operator: In, values: [75, 137]}
      {{- end }}
      args:
        {{- range concat .args $role.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      env:
        - name: POD_NAME
          valueFrom:
            fieldRef: {fieldPath: metadata.name}
        - name: POD_IP
          valueFrom:
            fieldRef: {fieldPath: status.podIP}
        {{- if and $tls (has .component (list "coordinator" "inspect")) }}
        # For `lvrpo status` and `lvrpo drain` in this pod; the process itself has --tls.
        - name: LVRPO_TLS
          value: /etc/lvrpo/operator
        {{- end }}
        {{- range concat (default list .env) $role.env }}
        - {{ toYaml . | nindent 10 | trim }}
        {{- end }}
      {{- with $role.envFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- if or .port .metrics }}
      ports:
        {{- if .port }}
        - {name: grpc, containerPort: {{ .port }}}
        {{- end }}
        {{- if .metrics }}
        - {name: metrics, containerPort: 9090}
        {{- end }}
      {{- end }}
      {{- if .metrics }}
      # /healthz answers while a model loads.
      startupProbe:
        httpGet: {path: /healthz, port: metrics}
        periodSeconds: 2
        failureThreshold: 60
      livenessProbe:
        httpGet: {path: /healthz, port: metrics}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /readyz, port: metrics}
        periodSeconds: 2
        timeoutSeconds: 2
      {{- end }}
      resources:
        {{- $resources := deepCopy $role.resources }}
        {{- $devices := default dict .resources }}
        {{- if int $role.gpus }}{{- $devices = mergeOverwrite (dict $role.gpuResourceName $role.gpus) $devices }}{{- end }}
        {{- if $devices }}
        {{- $_ := set $resources "limits" (mergeOverwrite (default dict $resources.limits) $devices) }}
        {{- $_ := set $resources "requests" (mergeOverwrite (default dict $resources.requests) $devices) }}
        {{- end }}
        {{- toYaml $resources | nindent 8 }}
      securityContext:
        {{- include "lvrpo.containerSecurity" (and $role.rdma $role.rdma.enabled) | nindent 8 }}
      volumeMounts:
        - {name: config, mountPath: /etc/lvrpo/run, readOnly: true}
        - {name: tmp, mountPath: /tmp}
        {{- if .run }}
        - {name: run, mountPath: /var/lib/lvrpo}
        {{- end }}
        {{- if $models }}
        - {name: models, mountPath: {{ $root.Values.model.mountPath }}, readOnly: true}
        {{- end }}
        {{- if $tls }}
        {{- if ne .component "inspect" }}
        - {name: tls, mountPath: /etc/lvrpo/tls, readOnly: true}
        {{- end }}
        {{- if has .component (list "coordinator" "inspect") }}
        - {name: operator-tls, mountPath: /etc/lvrpo/operator, readOnly: true}
        {{- end }}
        {{- end }}
        {{- range concat (default list .mounts) $role.extraVolumeMounts }}
        - {{ toYaml . | nindent 10 | trim }}
        {{- end }}
  volumes:
    - name: config
      configMap: {name: {{ include "lvrpo.configName" $root }}}
    - name: tmp
      emptyDir: {}
    {{- if eq .run "claim" }}
    - name: run
      persistentVolumeClaim: {claimName: {{ include "lvrpo.claimName" $root }}}
    {{- else if eq .run "own" }}
    - name: run
      ephemeral:
        volumeClaimTemplate:
          spec:
            accessModes: [ReadWriteOnce]
            {{- with $role.ownVolume.storageClassName }}
            storageClassName: {{ . }}
            {{- end }}
            resources:
              requests: {storage: {{ $role.ownVolume.size }}}
    {{- end }}
    {{- if $models }}
    - name: models
      {{- if $root.Values.model.fetch.image }}
      emptyDir: {sizeLimit: {{ $root.Values.model.fetch.sizeLimit }}}
      {{- else }}
      {{- toYaml $root.Values.model.volume | nindent 6 }}
      {{- end }}
    {{- end }}
    {{- if $tls }}
    {{- if ne .component "inspect" }}
    - name: tls
      secret: {secretName: {{ include "lvrpo.tlsSecret" (list $root .component) }}, defaultMode: 0440}
    {{- end }}
    {{- if has .component (list "coordinator" "inspect") }}
    - name: operator-tls
      secret: {secretName: {{ include "lvrpo.tlsSecret" (list $root "operator") }}, defaultMode: 0440}
    {{- end }}
    {{- end }}
    {{- range concat (default list .volumes) $role.extraVolumes }}
    - {{ toYaml . | nindent 6 | trim }}
    {{- end }}
{{- end -}}

{{/* securityContext of a container; the argument: whether it may lock memory. */}}
{{- define "lvrpo.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
  {{- if . }}
  add: [IPC_LOCK]
  {{- end }}
{{- end -}}

{{/* Flags for the transport: TLS, or plain text by name. */}}
{{- define "lvrpo.transport" -}}
{{- if eq .Values.tls.mode "none" -}}
["--insecure"]
{{- else -}}
["--tls", "/etc/lvrpo/tls"]
{{- end -}}
{{- end -}}
