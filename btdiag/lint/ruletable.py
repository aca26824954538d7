"""The table of rules: id, claim, why it matters, sources; and for which versions each speaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

HELM = "https://github.com/braintrustdata/helm"
AWS = "https://github.com/braintrustdata/terraform-aws-braintrust-data-plane"
GUIDE = "https://www.braintrust.dev/docs/admin/self-hosting/advanced"
K8S = "https://kubernetes.io/docs"


@dataclass(frozen=True, slots=True, kw_only=True)
class LintRule:
    """One rule: `title` is its claim, `why` what happens where it does not hold."""

    id: str
    title: str
    why: str
    sources: tuple[str, ...] = (GUIDE,)

    @property
    def family(self) -> str:
        return self.id.partition(".")[0]


def _rule(id_: str, title: str, why: str, *sources: str) -> LintRule:
    return LintRule(id=id_, title=title, why=why, sources=sources or (GUIDE,))


LISTED = (
    _rule(
        "telemetry.types-are-known",
        "Every type of telemetry is one that is documented.",
        "The chart hands the text through unchecked: a wrong word or a capital is lost without a word. The AWS module"
        " refuses it since v2.3.3. The vendor's own article prints capitals.",
        HELM,
        AWS,
    ),
    _rule(
        "telemetry.data-stays",
        "No telemetry carries customers' data out of the data plane.",
        "The types logs and traces send application logs and traces, which may hold what customers sent.",
        HELM,
    ),
    _rule(
        "telemetry.support-sees-the-deployment",
        "Support can see the state of the data plane.",
        "Without status and metrics Braintrust cannot help before somebody calls.",
        GUIDE,
    ),
    _rule(
        "telemetry.gateway-follows",
        "The gateway's telemetry follows the setting.",
        "The guide has one setting for all telemetry. The gateway on ECS has a fixed endpoint since v5.5.0 and does not"
        " read monitoring_telemetry; with internal observability (v5.6.0) it sends to an agent beside it.",
        AWS,
    ),
    _rule(
        "telemetry.metrics-have-a-licence",
        "The API on ECS has the licence key without which its metrics do not leave.",
        "The module hands BRAINSTORE_LICENSE_KEY to the API on ECS since v6.4.0 only; without it no OpenTelemetry"
        " metrics leave, whatever monitoring_telemetry says. From v6.4.0 on the module refuses it among the API's"
        " variables. The chart has set it since 2.1.0.",
        AWS,
    ),
    _rule(
        "telemetry.sysadmin-value",
        "DISABLE_SYSADMIN_TELEMETRY is the documented value.",
        'Only "true" is documented; another value may leave the endpoints on.',
        GUIDE,
    ),
    _rule(
        "appurl.links-lead-to-the-app",
        "Links that the SDK prints lead to the web app.",
        "With BRAINTRUST_APP_URL at the data plane, links need BRAINTRUST_APP_PUBLIC_URL; summaries alone use it.",
        GUIDE,
    ),
    _rule("appurl.is-a-url", "The app URL is a URL.", "SDKs need scheme and host.", GUIDE),
    _rule(
        "cors.origins-are-bare",
        "Allowed origins are bare: scheme, host, port.",
        "An origin is compared as a whole, so a slash at its end never matches. Audit headers need no entry here: they"
        " are for servers, not for browsers. The guide has Terraform handle CORS by itself: it does so for buckets and"
        " the AI proxy; the API's own list is whitelisted_origins, and in Helm api.extraEnvVars alone.",
        "https://fetch.spec.whatwg.org/#origin-header",
    ),
    _rule(
        "ratelimit.values-are-valid",
        "The outbound rate limit is one that can work.",
        "Neither chart nor module checks the numbers. The guide gives 100 a minute as the default, which is the API's;"
        " the AWS module sets 0, no limit.",
        AWS,
    ),
    _rule(
        "keepalive.outlives-the-load-balancer",
        "The API keeps idle connections longer than each load balancer.",
        'Where the API closes first, a request meets a closing connection: a 502 that no log shows. "Match or exceed"'
        " in the guide is not enough: equal times race. It says that the default of 65 s works with an ALB: the AWS"
        " module's own waits 900 s, that of its gateway 3600 s, Google's 600 s, and no chart sets the variable.",
        GUIDE,
        AWS,
    ),
    _rule(
        "keepalive.is-set-on-the-api",
        "The keep-alive variable is set where it is read.",
        "Only the API server reads it; a Lambda function keeps no connections.",
        GUIDE,
    ),
    _rule("keepalive.is-a-number", "The keep-alive is a number of seconds.", "Another text is not taken.", GUIDE),
    _rule(
        "brainstore.requests-fit-limits",
        "No request is above its limit.",
        "Helm keeps the chart's limits beside your requests, and Kubernetes refuses such pods. The chart's README has"
        " an example for GKE Standard that does it (44 CPU and 160Gi under limits of 16 and 32Gi).",
        f"{K8S}/concepts/configuration/manage-resources-containers/",
    ),
    _rule(
        "brainstore.limits-are-meant",
        "The limits in effect are the ones that the file seems to say.",
        "The guide says to leave limits out, or to write {}, for a Burstable pod. Helm merges maps: the chart's limits"
        " stay. Only null takes them away. Nor is all passed through as it stands since 5.0.1: charts 2.1.0 to 5.0.0"
        " keep cpu and memory and drop the rest. The guide's writer (4/16Gi) runs under limits of 32/64Gi.",
        HELM,
        "https://helm.sh/docs/chart_template_guide/values_files/",
    ),
    _rule(
        "brainstore.limits-can-be-removed",
        "The chart renders without the values that are taken away.",
        "Up to chart 5.0.0 the template reads limits.cpu itself and breaks on null; resources: null breaks it again"
        " since 6.2.2.",
        HELM,
    ),
    _rule(
        "brainstore.quantities-are-valid",
        "Quantities are ones that Kubernetes knows.",
        "GB, cores and the like are refused.",
        f"{K8S}/reference/kubernetes-api/common-definitions/quantity/",
    ),
    _rule(
        "brainstore.readiness-recovers",
        "Readiness is asked where it can recover.",
        "/status latches: once it has failed it never recovers. Charts 3.0.3 to 4.1.0 ask it by default, the API's on"
        " port 8001; there are no probes before. Since 5.0.0 path: /status alone leaves the chart's port 8000 with it.",
        HELM,
    ),
    _rule(
        "brainstore.probes-have-one-handler",
        "Every probe has one handler.",
        "Helm leaves the chart's httpGet beside another handler, and Kubernetes refuses two.",
        f"{K8S}/reference/kubernetes-api/workload-resources/pod-v1/#Probe",
    ),
    _rule(
        "brainstore.probes-are-read",
        "Probes are set where they are read.",
        "Probes of all roles are brainstore.readinessProbe and livenessProbe. The guide tells people to remove"
        " brainstore.fastreader.readinessProbe, which no chart ever read.",
        HELM,
    ),
    _rule(
        "brainstore.addresses-are-derived",
        "Cache and code bundle addresses are the derived ones.",
        "Since chart 5.1.0 they follow from the buckets, and not in Helm alone, as the guide has it: the AWS module has"
        " derived them since v4.4.0. A variable wins over them on its own role only, so that roles look in different"
        " places.",
        HELM,
    ),
    _rule(
        "brainstore.azure-volumes-are-sized",
        "Each role has a volume size on Azure.",
        "With the container storage driver, which is on by default, the chart does not render without one.",
        HELM,
    ),
    _rule(
        "brainstore.cache-fits-volume",
        "The cache fits its volume.",
        "objectStoreCacheFileSize is 1000Gi unless told otherwise (50Gi before chart 4.0.0); what outgrows sizeLimit is"
        " evicted. The guide's Azure example has volumes of 100Gi and leaves the cache as it is.",
        HELM,
    ),
    _rule(
        "brainstore.volume-settings-count",
        "Volume settings have an effect on this cloud.",
        "volume.size is read on Azure and on GKE Autopilot only, ephemeralStorage on AWS and Autopilot only.",
        HELM,
    ),
    _rule(
        "brainstore.fast-reader-mirrors-reader",
        "The fast reader has what the reader has.",
        "It inherits nothing. The vendor's own example for GKE Standard forgets nodeSelector and affinity. Replicas"
        " need not match: the README begins with two.",
        HELM,
    ),
    _rule(
        "brainstore.fast-readers-run",
        "There are fast readers.",
        "The chart has no off switch: enabled is not read, null does not render, and with no replicas the API still"
        " sends queries there. The AWS module leaves the address out with a count of 0.",
        HELM,
        AWS,
    ),
    _rule(
        "brainstore.capacity-is-there",
        "The upgrade asks for no more than there was.",
        "Chart 4.0.0 quadrupled Brainstore's requests, 5.0.0 added two fast readers; a rollout doubles them (maxSurge"
        " 100% since 3.0.6). The guide has fast readers as an option: the AWS module starts two since v5.5.0.",
        HELM,
    ),
    _rule(
        "config.keys-are-read",
        "Every key is read by the chart.",
        "The chart has no schema: a misspelt or outdated key changes nothing, without a word. The vendor's articles"
        " print some (apiHandler, image.tag at the top), and an old UPGRADE.md asks for cacheSizeLimit, which nothing"
        " reads.",
        HELM,
    ),
    _rule(
        "config.chart-is-the-one-meant",
        "An upgrade is the step that its numbers say.",
        "Two versions are not what they seem: 2.5.0 was cut from what is 6.6.0, with all that came between, and 3.0.1"
        " pins images of v1.2.7, which the next chart takes back to v1.1.27.",
        HELM,
    ),
    _rule("config.keys-stand-once", "No key stands twice in a map.", "Helm keeps the last one without a word.", HELM),
    _rule("config.types-fit", "Values are of the type that the chart takes.", "Others break the templates.", HELM),
    _rule(
        "config.values-are-known",
        "Values are ones that the chart knows.",
        "Others fall through the templates without a word.",
        HELM,
    ),
    _rule(
        "config.cloud-is-known",
        "cloud is aws, azure or google.",
        "Anything else, capitals included, switches all of objectStorage off. The default was google up to chart 2.2.1"
        " and is empty since 3.0.0.",
        HELM,
    ),
    _rule("config.buckets-are-set", "The buckets of the cloud are named.", "What lacks its bucket is left out.", HELM),
    _rule("config.required-values-are-set", "What the chart requires is there.", "It does not render otherwise.", HELM),
    _rule("config.organisation-is-set", "The organisation is named.", "The chart's default is a placeholder.", HELM),
    _rule(
        "config.namespace-matches",
        "The namespace is the one that the API looks in.",
        "Objects go to the release's namespace, addresses are made of global.namespace.",
        HELM,
    ),
    _rule(
        "config.ports-match",
        "Services, servers and probes agree on ports.",
        "The guide says that probes stay behind, which is half of it: Brainstore listens on service.port, and a probe"
        " on 4000 then kills it; the API server does not follow api.service.port at all, so that its pods are ready and"
        " its Service leads nowhere.",
        HELM,
    ),
    _rule(
        "config.virtual-service-leads-to-the-api",
        "The route leads to the API's Service.",
        "virtualService.http does not follow api.service.name or port.",
        HELM,
    ),
    _rule(
        "config.gateway-is-enabled",
        "The gateway that the API uses is deployed.",
        "The guide says that useGateway needs enabled: the chart does not hold to it, and names a Service that does not"
        " exist.",
        HELM,
    ),
    _rule(
        "config.images-fit-settings",
        "Pinned images know what the settings write.",
        "The WAL footer v3 (chart 6.0.0) and no PostgreSQL (6.1.0) are one-way, and images before 2.0 cannot read them."
        " The chart's README still calls them disabled.",
        HELM,
    ),
    _rule(
        "config.variables-are-text",
        "Values of variables are text.",
        "A bare number or boolean renders, and Kubernetes refuses it.",
        f"{K8S}/reference/kubernetes-api/workload-resources/pod-v1/#environment-variables",
    ),
    _rule("config.variables-are-a-list", "Variables are a list of name and value.", "Nothing else is taken.", HELM),
    _rule(
        "config.lists-are-whole",
        "A later file's list has what the earlier one had.",
        "Helm merges the maps of several -f, and replaces lists: what the later list does not name is gone.",
        HELM,
        "https://helm.sh/docs/chart_template_guide/values_files/",
    ),
    _rule("config.variables-stand-once", "No variable stands twice in a list.", "The last one counts.", K8S),
    _rule(
        "config.variables-are-known",
        "Names of variables are spelt as they are read.",
        "A misspelt one changes nothing.",
        GUIDE,
    ),
    _rule(
        "audit.lists-are-valid",
        "Lists of audited organisations are valid.",
        "Strict and best effort exclude each other; entries are UUIDs.",
        HELM,
        AWS,
    ),
    _rule(
        "retention.primary-organisation-is-set",
        "Service tokens have an organisation that manages them.",
        "Where every organisation is allowed, one must be named: chart 6.7.1, AWS v4.1.0 (*) and v5.8.1 (empty).",
        HELM,
        AWS,
    ),
    _rule(
        "retention.secrets-are-listed",
        "The key vault's list has every secret.",
        "Lists replace lists: what is left out is missing in the Secret that every pod names. The secret for service"
        " tokens is FUNCTION_SECRET_KEY in Helm, which never sets SERVICE_TOKEN_SECRET_KEY.",
        HELM,
    ),
    _rule(
        "retention.buckets-keep-live-data",
        "No bucket rule deletes live data.",
        "A rule by age cannot know what Brainstore still reads: the vendor says itself that the cloud's own rules may"
        " delete data independently of retention. The modules' own days count for old versions alone.",
        GUIDE,
        AWS,
    ),
    _rule(
        "terraform.arguments-are-known",
        "The module has every argument at this version.",
        "Variables were renamed without aliases; Terraform refuses others.",
        AWS,
    ),
    _rule("terraform.arguments-stand-once", "No argument stands twice.", "Terraform refuses the file.", AWS),
    _rule("terraform.required-arguments-are-set", "Required arguments are given.", "Terraform asks for them.", AWS),
    _rule(
        "terraform.types-fit",
        "Arguments convert to the module's types.",
        "Terraform refuses others. service_extra_env_vars is an object that must name every service, though the guide"
        " shows one alone.",
        AWS,
    ),
    _rule("terraform.values-are-valid", "Arguments pass the module's own checks.", "The plan fails otherwise.", AWS),
    _rule("terraform.switches-go-together", "Switches agree with each other.", "The module checks them.", AWS),
    _rule(
        "terraform.tfvars-are-declared",
        "Every line of a tfvars file is taken.",
        "A variable that the root does not declare is a warning only: the setting is lost.",
        AWS,
    ),
)

RANGES: Mapping[str, str] = {
    "telemetry.types-are-known": "chart 2.0.0 and later; AWS module v2.3.3 and later",
    "telemetry.gateway-follows": "AWS module v5.5.0 and later",
    "telemetry.metrics-have-a-licence": "AWS module v5.3.0 to v6.3.x",
    "config.chart-is-the-one-meant": "with --upgrade-from: charts 2.5.0 and 3.0.1",
    "keepalive.outlives-the-load-balancer": "all; the AWS module's own ALB v5.3.0 and later",
    "brainstore.limits-can-be-removed": "Brainstore: chart 2.1.0 to 5.0.0; resources: null also 6.2.2 and later",
    "brainstore.readiness-recovers": "by default chart 3.0.3 to 4.1.0; as an override in every chart",
    "brainstore.probes-have-one-handler": "chart 3.0.3 and later",
    "brainstore.addresses-are-derived": "chart 5.1.0 and later",
    "brainstore.azure-volumes-are-sized": "chart 3.0.0 and later, fast reader 5.0.0 and later",
    "brainstore.cache-fits-volume": "volume.size chart 2.1.0 (Autopilot) and 3.0.0 (Azure), sizeLimit 6.2.2 and later",
    "brainstore.fast-reader-mirrors-reader": "chart 5.0.0 and later; AWS module v4.1.0 and later",
    "brainstore.fast-readers-run": "chart 5.0.0 and later",
    "brainstore.capacity-is-there": "with --upgrade-from: charts 4.0.0 and 5.0.0, AWS module v5.5.0",
    "config.required-values-are-set": "chart 3.1.0 and later",
    "config.ports-match": "probes: chart 3.0.3 and later; the API's port: all",
    "config.virtual-service-leads-to-the-api": "chart 3.1.1 and later",
    "config.gateway-is-enabled": "chart 6.6.0 and later",
    "config.images-fit-settings": "chart 5.1.0 and later (defaults 6.0.0 and 6.1.0); AWS module v5.0.0 and v5.1.0",
    "audit.lists-are-valid": "chart 6.9.2 and later; AWS module v6.0.0 and later",
    "retention.primary-organisation-is-set": "chart 6.7.1 and later; AWS module v4.1.0 (*) and v5.8.1 (empty)",
    "retention.secrets-are-listed": "chart 3.0.0 and later",
}
"""For which versions a rule speaks; the others are for all in the tables (charts 1.0.0 and later)."""
