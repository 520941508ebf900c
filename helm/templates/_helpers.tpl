{{/* Names and labels that all parts of the chart share, and models.yaml as a mapping. */}}

{{- define "bailey.fullname" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" (.Release.Name | trunc 33) .Chart.Name | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* What chooses the pods of one part; call with (list $ "sandbox"). */}}
{{- define "bailey.selector" -}}
{{- $ := index . 0 -}}
app.kubernetes.io/name: {{ $.Chart.Name }}
app.kubernetes.io/instance: {{ $.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "bailey.labels" -}}
{{- $ := index . 0 -}}
{{ include "bailey.selector" . }}
app.kubernetes.io/version: {{ $.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $.Chart.Name $.Chart.Version }}
{{- end }}

{{- define "bailey.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ printf "%s@%s" .repository .digest }}{{ else }}{{ printf "%s:%s" .repository (.tag | default $.Chart.AppVersion) }}{{ end }}
{{- end }}
{{- end }}

{{/* models.yaml as JSON text, since a named template can only give text; {} if there is none. */}}
{{- define "bailey.models" -}}
{{- $models := fromYaml .Values.models | default dict }}
{{- with $models.Error }}
{{- fail (printf "models.yaml cannot be read (give it with --set-file models=models.yaml): %s" .) }}
{{- end }}
{{- toJson $models }}
{{- end }}
