{{- define "name" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride }}
{{- else -}}
{{- $own := default "flux-operator" .Values.nameOverride -}}
{{- if contains $own .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-{{ $own }}{{ end -}}
{{- end -}}
{{- end -}}

{{- define "account" -}}
{{ default (include "name" .) .Values.serviceAccount.name }}
{{- end -}}

{{- define "metadata" -}}
labels:
  app.kubernetes.io/name: flux-operator
  app.kubernetes.io/instance: {{ .Release.Name }}
  app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
  app.kubernetes.io/managed-by: {{ .Release.Service }}
  {{- with .Values.commonLabels }}{{ toYaml . | nindent 2 }}{{ end }}
{{- with .Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
