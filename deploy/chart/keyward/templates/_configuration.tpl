{{/* The configuration: what the values say, and what the rest of the chart brings with it. */}}

{{- define "keyward.proxyPort" -}}
{{- dig "serve" "proxy" "port" 4455 .Values.oathkeeper.config -}}
{{- end -}}

{{- define "keyward.apiPort" -}}
{{- dig "serve" "api" "port" 4456 .Values.oathkeeper.config -}}
{{- end -}}

{{/* The scheme of the API port. */}}
{{- define "keyward.apiScheme" -}}
{{- if dig "serve" "api" "tls" "" .Values.oathkeeper.config -}}HTTPS{{- else -}}HTTP{{- end -}}
{{- end -}}

{{/* By which names callers reach the proxy, as a list in JSON. */}}
{{- define "keyward.authorities" -}}
{{- $names := dig "serve" "proxy" "authorities" list .Values.oathkeeper.config -}}
{{- if .Values.authorities.service -}}
{{- $service := printf "%s-proxy" (include "keyward.fullname" .) -}}
{{- $suffixes := list "" (printf ".%s" .Release.Namespace) (printf ".%s.svc" .Release.Namespace) (printf ".%s.svc.%s" .Release.Namespace .Values.authorities.clusterDomain) -}}
{{- range $suffixes -}}
{{- $names = append $names (printf "%s%s:%v" $service . $.Values.service.proxy.port) -}}
{{- end -}}
{{- end -}}
{{- concat $names .Values.authorities.extra | uniq | toJson -}}
{{- end -}}

{{- define "keyward.configuration" -}}
{{- $config := deepCopy .Values.oathkeeper.config -}}
{{- if not $config -}}
{{- fail "oathkeeper.config: write the configuration here, as in oathkeeper.yaml" -}}
{{- end -}}
{{- $authorities := include "keyward.authorities" . | fromJsonArray -}}
{{- if $authorities -}}
{{- $config = mergeOverwrite $config (dict "serve" (dict "proxy" (dict "authorities" $authorities))) -}}
{{- end -}}
{{- if .Values.secretsDirectory.enabled -}}
{{- $written := dig "secrets" "env_dir" "" $config -}}
{{- if and $written (ne $written .Values.secretsDirectory.path) -}}
{{- fail (printf "oathkeeper.config.secrets.env_dir: secretsDirectory.path says %s; leave one of them out" .Values.secretsDirectory.path) -}}
{{- end -}}
{{- $config = mergeOverwrite $config (dict "secrets" (dict "env_dir" .Values.secretsDirectory.path)) -}}
{{- end -}}
{{- if .Values.rulesCache.enabled -}}
{{- if dig "access_rules" "cache_dir" "" $config -}}
{{- fail "oathkeeper.config.access_rules.cache_dir: rulesCache.enabled sets it; leave one of them out" -}}
{{- end -}}
{{- $config = mergeOverwrite $config (dict "access_rules" (dict "cache_dir" "/var/lib/keyward/rules")) -}}
{{- end -}}
{{- if and .Values.oathkeeper.accessRules (not (has "file:///etc/keyward/rules/rules.yaml" (dig "access_rules" "repositories" list $config))) -}}
{{- fail "oathkeeper.accessRules: oathkeeper.config.access_rules.repositories does not name file:///etc/keyward/rules/rules.yaml" -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/*
How long requests in flight may take after SIGTERM, in whole seconds. Durations are a number and one unit; zero means the default.
What is no duration is left to Keyward to refuse.
*/}}
{{- define "keyward.shutdownSeconds" -}}
{{- $written := dig "serve" "proxy" "shutdown_timeout" "30s" .Values.oathkeeper.config | toString -}}
{{- $number := regexFind "^[0-9]+" $written | int -}}
{{- $unit := regexFind "[a-z]+$" $written -}}
{{- if not $number -}}30
{{- else if hasKey (dict "s" 1 "m" 60 "h" 3600) $unit -}}
{{- mul $number (get (dict "s" 1 "m" 60 "h" 3600) $unit) -}}
{{- else -}}
{{- /* As if it were milliseconds; shorter units make less of it. */ -}}
{{- div $number 1000 | add1 -}}
{{- end -}}
{{- end -}}

{{- define "keyward.gracePeriod" -}}
{{- $needed := add (include "keyward.shutdownSeconds" . | int) .Values.deployment.preStopSeconds 10 | int -}}
{{- if lt (int .Values.deployment.terminationGracePeriodSeconds) $needed -}}
{{- fail (printf "deployment.terminationGracePeriodSeconds: write at least %d: preStopSeconds, serve.proxy.shutdown_timeout and 10 seconds to write the last records" $needed) -}}
{{- end -}}
{{- int .Values.deployment.terminationGracePeriodSeconds -}}
{{- end -}}
