{{/* The settings that follow from the values, section by section. */}}
{{- define "berth.ownSettings" -}}
server:
  listen: ["0.0.0.0:5000"]
  shutdown_timeout: {{ printf "%ds" (int .Values.shutdown.timeoutSeconds) }}
  {{- with .Values.publicUrl }}
  public_url: {{ . | quote }}
  {{- end }}
  {{- with .Values.trustedProxies }}
  trusted_proxies: {{ toJson . }}
  {{- end }}
  {{- if .Values.tls.secret }}
  tls_cert: /etc/berth-tls/tls.crt
  tls_key: /etc/berth-tls/tls.key
  {{- end }}
storage:
  data_dir: /var/lib/berth
{{- if .Values.metrics.enabled }}
metrics:
  listen: {{ printf "0.0.0.0:%d" (int .Values.metrics.port) | quote }}
{{- end }}
{{- with .Values.database }}
{{- if .url }}
database:
  url: {{ .url | quote }}
  pool: {{ int .pool }}
  statement_timeout: {{ .statementTimeout | quote }}
  {{- if .caSecret.name }}
  tls_ca: {{ printf "/etc/berth-secrets/database-ca/%s" .caSecret.key }}
  {{- end }}
{{- end }}
{{- end }}
{{- with .Values.s3 }}
{{- if .bucket }}
s3:
  bucket: {{ .bucket | quote }}
  redirect: {{ .redirect }}
  buffer_budget: {{ .bufferBudget | quote }}
  {{- with .endpoint }}
  endpoint: {{ . | quote }}
  {{- end }}
  {{- with .region }}
  region: {{ . | quote }}
  {{- end }}
  {{- with .prefix }}
  prefix: {{ . | quote }}
  {{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* A value in TOML: text, truth, whole numbers and lists of text. */}}
{{- define "berth.tomlValue" -}}
{{- if kindIs "bool" . -}}
{{- . -}}
{{- else if kindIs "string" . -}}
{{- toJson . -}}
{{- else if kindIs "slice" . -}}
{{- toJson . -}}
{{- else -}}
{{- int64 . -}}
{{- end -}}
{{- end -}}

{{/* The configuration file. */}}
{{- define "berth.toml" -}}
{{- $all := fromYaml (include "berth.ownSettings" .) -}}
{{- range $section, $keys := .Values.settings -}}
{{- $_ := set $all $section (merge (dict) (default dict (get $all $section)) $keys) -}}
{{- end -}}
# Made by the chart from its values.
{{- range $section, $keys := $all }}

[{{ $section }}]
{{- range $key, $value := $keys }}
{{ $key }} = {{ include "berth.tomlValue" $value }}
{{- end }}
{{- end }}
{{- end -}}
