{{/* What cannot work is refused before anything is installed. */}}
{{- define "berth.checks" -}}
{{- $database := .Values.database -}}
{{- $s3 := .Values.s3 -}}
{{- if and (include "berth.several" .) (not (include "berth.shared" .)) -}}
{{- $missing := list -}}
{{- if not $database.url -}}{{- $missing = append $missing "database.url (without it facts are in SQLite, on one node's volume)" -}}{{- end -}}
{{- if not $s3.bucket -}}{{- $missing = append $missing "s3.bucket (without it blobs are files on one node's volume)" -}}{{- end -}}
{{- fail (printf "several nodes need %s; set it, or set replicaCount=1 and autoscaling.enabled=false" (join " and " $missing)) -}}
{{- end -}}
{{- if and (not .Values.autoscaling.enabled) (lt (int .Values.replicaCount) 1) -}}
{{- fail "replicaCount must be at least 1" -}}
{{- end -}}
{{- if and $database.url (not .Values.serverKey.secret.name) -}}
{{- fail "serverKey.secret.name is empty: with PostgreSQL every node needs the same server key, from a secret" -}}
{{- end -}}
{{- if regexMatch "^[a-z]+://[^/@]*:[^/@]*@" $database.url -}}
{{- fail "database.url holds a password, and would show it in a ConfigMap: put it into a secret and name that in database.passwordSecret" -}}
{{- end -}}
{{- if gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas) -}}
{{- fail "autoscaling.minReplicas is more than autoscaling.maxReplicas" -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.parentRefs is empty: name the gateway" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) -}}
{{- fail "ingress.host is empty" -}}
{{- end -}}
{{- if and (or .Values.metrics.serviceMonitor.enabled .Values.metrics.rules.enabled) (not .Values.metrics.enabled) -}}
{{- fail "metrics.serviceMonitor and metrics.rules need metrics.enabled" -}}
{{- end -}}
{{- $own := fromYaml (include "berth.ownSettings" .) -}}
{{- range $section, $keys := .Values.settings -}}
{{- range $key, $_ := $keys -}}
{{- if or (hasKey (default dict (get $own $section)) $key) (has (printf "%s.%s" $section $key) (fromYamlArray (include "berth.reserved" $))) -}}
{{- fail (printf "settings.%s.%s is made by the chart from its other values" $section $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Settings that the chart decides even where it leaves them out. */}}
{{- define "berth.reserved" -}}
- server.listen
- server.public_url
- server.trusted_proxies
- server.tls_cert
- server.tls_key
- metrics.listen
- database.url
- database.pool
- database.statement_timeout
- database.tls_ca
- s3
{{- end -}}
