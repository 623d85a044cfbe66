"""Reading the load of a vLLM server from its metrics."""

from hypothesis import given
from hypothesis import strategies as st

from skillmill.teachers.base import Load
from skillmill.teachers.engines.chat_api.vllm_metrics import vllm_load

METRICS = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 7.0
vllm:num_requests_running{engine="1",model_name="m"} 5.0
vllm:num_requests_waiting{engine="0",model_name="m"} 2.0
vllm:num_requests_waiting_by_reason{engine="0",reason="capacity"} 9.0
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25
vllm:kv_cache_usage_perc{engine="1",model_name="m"} 7.5e-01
vllm:num_preemptions_total{engine="0",model_name="m"} 3.0
vllm:num_preemptions_created{engine="0",model_name="m"} 1.7e+09
vllm:prefix_cache_queries_total{engine="0",model_name="m"} 900.0
vllm:prefix_cache_queries_total{engine="1",model_name="m"} 100.0
vllm:prefix_cache_queries_created{engine="0",model_name="m"} 1.7e+09
vllm:prefix_cache_hits_total{engine="0",model_name="m"} 700.0
"""


def test_the_load_is_read_over_all_engines_of_a_server() -> None:
    assert vllm_load(METRICS) == Load(12, 2, 0.75, 3, cache_queries=1000, cache_hits=700)
    old = METRICS.replace("kv_cache_usage_perc", "gpu_cache_usage_perc").replace("prefix_cache", "gpu_prefix_cache")
    assert vllm_load(old) == vllm_load(METRICS)


@given(st.text())
def test_other_metrics_are_nobodys_load(text: str) -> None:
    assert vllm_load(text) is None
    assert vllm_load("llamacpp:requests_processing 3\n" + text) is None


@given(st.lists(st.sampled_from(METRICS.splitlines()) | st.text(max_size=9).map("vllm:num_requests_waiting".__add__)))
def test_unreadable_metrics_raise_nothing(lines: list[str]) -> None:
    load = vllm_load("\n".join(lines))
    assert load is None or load.running >= 0
