{{- define "uncia.generated" -}}
{{ .Files.Get "files/parts.json" }}
{{- end }}

{{/* Labels of a pod and its controller. Usage: include "uncia.labels" (dict "root" $ "name" NAME) */}}
{{- define "uncia.labels" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{- define "uncia.kafka" -}}
{{ .Release.Name }}-kafka
{{- end }}

{{- define "uncia.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "uncia.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{/* True where a part of the table runs with these values. Usage: include "uncia.runs" (dict "root" $ "part" PART) */}}
{{- define "uncia.runs" -}}
{{- if or (not .part.wantedBy) (and (eq .part.wantedBy "alert_rules") .root.Values.alerts.rulesConfigMap) (and (eq .part.wantedBy "identify_taxa") .root.Values.identify.taxa) (and (eq .part.wantedBy "thin_links") .root.Values.thinLinks.enabled) (and (eq .part.wantedBy "listen") .root.Values.listen.enabled) (and (eq .part.wantedBy "harvest_worker") .root.Values.harvest.enabled) -}}true{{- end -}}
{{- end }}
