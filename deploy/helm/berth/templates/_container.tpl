{{- define "berth.container" -}}
name: berth
image: {{ include "berth.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: [serve, --config, /etc/berth/berth.toml]
env:
  {{- include "berth.environment" . | nindent 2 }}
ports:
  - name: registry
    containerPort: 5000
  {{- if .Values.metrics.enabled }}
  - name: metrics
    containerPort: {{ int .Values.metrics.port }}
  {{- end }}
# The start waits up to a minute for PostgreSQL, and brings the schema up to date.
startupProbe:
  {{- include "berth.probe" (list . "/healthz") | nindent 2 }}
  periodSeconds: 2
  failureThreshold: 150
livenessProbe:
  {{- include "berth.probe" (list . "/healthz") | nindent 2 }}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  {{- include "berth.probe" (list . "/readyz") | nindent 2 }}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
lifecycle:
  preStop:
    # Proxies hear of a pod's end at the same time as the pod: it goes on until they have.
    sleep:
      seconds: {{ int .Values.shutdown.preStopSeconds }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
volumeMounts:
  {{- include "berth.mounts" . | nindent 2 }}
{{- end -}}

{{/* berth.probe (list . PATH) */}}
{{- define "berth.probe" -}}
httpGet:
  path: {{ index . 1 }}
  port: registry
  scheme: {{ include "berth.scheme" (index . 0) }}
{{- end -}}

{{- define "berth.environment" -}}
- name: HOME
  value: /var/lib/berth
{{- if .Values.serverKey.secret.name }}
- name: BERTH_SERVER_KEY_FILE
  value: /etc/berth-secrets/server-key/{{ .Values.serverKey.secret.key }}
{{- end }}
{{- if and .Values.database.url .Values.database.passwordSecret.name }}
- name: BERTH_DATABASE_PASSWORD_FILE
  value: /etc/berth-secrets/database/{{ .Values.database.passwordSecret.key }}
{{- end }}
{{- with .Values.admin.secret }}
{{- if .name }}
{{ include "berth.fromSecret" (list "BERTH_ADMIN_ACCESS_KEY_ID" .name .accessKeyIdKey) }}
{{ include "berth.fromSecret" (list "BERTH_ADMIN_SECRET_ACCESS_KEY" .name .secretAccessKeyKey) }}
{{- end }}
{{- end }}
{{- with .Values.s3.credentialsSecret }}
{{- if .name }}
{{ include "berth.fromSecret" (list "AWS_ACCESS_KEY_ID" .name .accessKeyIdKey) }}
{{ include "berth.fromSecret" (list "AWS_SECRET_ACCESS_KEY" .name .secretAccessKeyKey) }}
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* berth.fromSecret (list VARIABLE SECRET KEY) */}}
{{- define "berth.fromSecret" -}}
- name: {{ index . 0 }}
  valueFrom:
    secretKeyRef:
      name: {{ index . 1 }}
      key: {{ index . 2 }}
{{- end -}}
