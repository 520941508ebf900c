{{/* What the sandbox's objects share: names, its section of models.yaml, and the wishes that cannot be met. */}}

{{- define "bailey.sandbox.fullname" -}}
{{ include "bailey.fullname" . }}-sandbox
{{- end }}

{{- define "bailey.sandbox.secretName" -}}
{{ .Values.sandbox.certificate.secretName | default (printf "%s-tls" (include "bailey.sandbox.fullname" .)) }}
{{- end }}

{{/* The section `sandbox:` as the pod gets it, as JSON. */}}
{{- define "bailey.sandbox.section" -}}
{{- $section := (include "bailey.models" . | fromJson).sandbox | default dict }}
{{- if not (kindIs "map" $section) }}
{{- fail "The section sandbox: of models.yaml must be a mapping, such as sandbox: {slots: 4}." }}
{{- end }}
{{- $section = omit $section "remote" }}
{{- if eq .Values.sandbox.tier "A" }}
{{- $_ := set $section "minimum_tier" "A" }}
{{- if not (hasKey $section "first_uid") }}{{ $_ := set $section "first_uid" 10000 }}{{ end }}
{{- end }}
{{- toJson $section }}
{{- end }}

{{/* Memory for all slots and open workspaces, for requests that wait or run, and for the service itself, in MiB. */}}
{{- define "bailey.sandbox.memoryMib" -}}
{{- $section := include "bailey.sandbox.section" . | fromJson }}
{{- $memory := 1024 }}{{/* the largest of the built-in profiles */}}
{{- $disk := 256 }}
{{- range $section.profiles }}
{{- $memory = max $memory (int .memory_mib) }}
{{- $disk = max $disk (int .disk_mib) }}
{{- end }}
{{- $held := mul ($section.slots | default 4 | int) $memory }}
{{- $held = add $held (mul (hasKey $section "most_workspaces" | ternary $section.most_workspaces 16 | int) $disk) }}
{{- range $section.warm }}{{ $held = add $held (mul (int .) 16) }}{{ end }}
{{- add $held ($section.request_mib | default 1024 | int) 512 }}
{{- end }}

{{- define "bailey.sandbox.check" -}}
{{- $section := include "bailey.sandbox.section" . | fromJson }}
{{- with .Values.sandbox }}
{{- if not (or .ownUserNamespace .runtimeClassName) }}
{{- fail "sandbox.ownUserNamespace is false, so whoever leaves a jail would be a user of the node: name a runtime with a kernel of its own in sandbox.runtimeClassName (gVisor, Kata), or set sandbox.enabled to false and serve the sandbox from a machine outside the cluster (docs/sandbox.md)." }}
{{- end }}
{{- if and (eq .tier "A") (not .ownUserNamespace) }}
{{- fail "sandbox.tier A runs the service as root, which must be the root of the pod's own user namespace: leave sandbox.ownUserNamespace true, or take tier B." }}
{{- end }}
{{- if and (eq .tier "B") (eq ($section.minimum_tier | default "B") "A") }}
{{- fail "models.yaml demands sandbox.minimum_tier A, and the chart's sandbox.tier is B: set sandbox.tier to A, or take minimum_tier out." }}
{{- end }}
{{- if eq (int .port) (int .healthPort) }}
{{- fail "sandbox.port and sandbox.healthPort must differ." }}
{{- end }}
{{- end }}
{{- end }}
