"""The load of a vLLM server, from the Prometheus text of its `/metrics`."""

from collections import defaultdict

from skillmill.teachers.base import Load

_METRICS = (
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
    "vllm:kv_cache_usage_perc",
    "vllm:gpu_cache_usage_perc",
    "vllm:num_preemptions",
    "vllm:prefix_cache_",
    "vllm:gpu_prefix_cache_",
)
"""The beginnings of the lines that are parsed. The whole text has about a thousand lines, which take 60 ms a poll."""


def vllm_load(metrics: str) -> Load | None:
    """Return the load over all engines of a server; None if the text has no metrics of vLLM or is not readable.

    Requests and totals are sums over the engines; `kv_used` is that of the fullest engine.
    """
    from prometheus_client.parser import text_string_to_metric_families  # takes 12 ms; few servers have metrics

    lines = [line for line in metrics.splitlines() if line.startswith(_METRICS)]
    values = defaultdict[str, list[float]](list)
    try:
        for family in text_string_to_metric_families("\n".join(lines)):
            for sample in family.samples:
                name = sample.name.removeprefix("vllm:").removeprefix("gpu_").removesuffix("_total")
                values[name].append(sample.value)
    except (ValueError, IndexError):
        return None
    if "num_requests_running" not in values or "num_requests_waiting" not in values:
        return None
    return Load(
        running=sum(values["num_requests_running"]),
        waiting=sum(values["num_requests_waiting"]),
        kv_used=max(values["kv_cache_usage_perc"] or values["cache_usage_perc"], default=0.0),
        preemptions=sum(values["num_preemptions"]),
        cache_queries=sum(values["prefix_cache_queries"]),
        cache_hits=sum(values["prefix_cache_hits"]),
    )
