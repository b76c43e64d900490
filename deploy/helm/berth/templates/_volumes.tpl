{{/* The secrets that are files: a list of objects with folder, secret and key. */}}
{{- define "berth.secretFiles" -}}
{{- if .Values.serverKey.secret.name }}
- {folder: server-key, secret: {{ .Values.serverKey.secret.name | quote }}, key: {{ .Values.serverKey.secret.key | quote }}}
{{- end }}
{{- with .Values.database }}
{{- if and .url .passwordSecret.name }}
- {folder: database, secret: {{ .passwordSecret.name | quote }}, key: {{ .passwordSecret.key | quote }}}
{{- end }}
{{- if and .url .caSecret.name }}
- {folder: database-ca, secret: {{ .caSecret.name | quote }}, key: {{ .caSecret.key | quote }}}
{{- end }}
{{- end }}
{{- end -}}

{{- define "berth.mounts" -}}
- name: settings
  mountPath: /etc/berth
  readOnly: true
- name: data
  mountPath: /var/lib/berth
{{- range fromYamlArray (include "berth.secretFiles" .) }}
- name: {{ .folder }}
  mountPath: /etc/berth-secrets/{{ .folder }}
  readOnly: true
{{- end }}
{{- if .Values.tls.secret }}
- name: tls
  mountPath: /etc/berth-tls
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "berth.volumes" -}}
- name: settings
  configMap:
    name: {{ include "berth.fullname" . }}
{{- if include "berth.shared" . }}
# Nothing that must last: the lock of the folder.
- name: data
  emptyDir:
    sizeLimit: 64Mi
{{- else if .Values.volume.existingClaim }}
- name: data
  persistentVolumeClaim:
    claimName: {{ .Values.volume.existingClaim }}
{{- end }}
{{- range fromYamlArray (include "berth.secretFiles" .) }}
- name: {{ .folder }}
  secret:
    secretName: {{ .secret }}
    defaultMode: 0440
    items:
      - key: {{ .key }}
        path: {{ .key }}
{{- end }}
{{- with .Values.tls.secret }}
- name: tls
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}
