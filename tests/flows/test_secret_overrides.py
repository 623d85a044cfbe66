"""What may be a secret does not become a parameter of a Prefect flow run."""

import pytest

from skillmill.data.errors import ConfigError
from skillmill.flows.secret_overrides import refuse_secrets

SECRET = "very-s3cret-value"


@pytest.mark.parametrize(
    "override",
    [
        f"teacher.headers={{X-Key: {SECRET}}}",
        f"teacher.headers.Authorization=Bearer {SECRET}",
        f"teacher.headers.X-Anything={SECRET}",
        f"grader.headers.X-Key={SECRET}",
        f"pairs.student.headers={{a: {SECRET}}}",
        f"teacher={{kind: openai, headers: {{a: {SECRET}}}}}",
        f"grader={{kind: openai, model: m, base_url: 'http://u:{SECRET}@host/v1'}}",
        f"teacher.headers={{broken: {SECRET}",
        f"teacher={{headers: {{api_key: {SECRET}",
        f"teacher.base_url=https://user:{SECRET}@host/v1",
        f"teacher.base_url=https://{SECRET}@host/v1",
        f"teacher.base_url=https://host/v1?api_key={SECRET}",
        f"teacher.base_url=https://host/v1?api-version=1&key={SECRET}",
        f"teacher.extra_body.api_key={SECRET}",
        f"teacher.extra_body={{provider: {{apiKey: {SECRET}}}}}",
        f"teacher.extra_body={{tools: [{{auth: {SECRET}}}]}}",
        f"teacher.extra_body.access_token={SECRET}",
        f"teacher.engine_args.hf_token={SECRET}",
        f"teacher.serve=vllm serve m --api-key {SECRET}",
        f"teacher.serve=env HF_TOKEN={SECRET} vllm serve m",
        f"teacher.serve=VLLM_API_KEY='{SECRET}' vllm serve m",
        f"train.sft.args.hub_token={SECRET}",
        "teacher.model=sk-abcdefgh12345678",
        "teacher.extra_body.x=hf_abcdefgh12345678",
        "teacher.extra_body.password=12345",
    ],
)
def test_a_secret_is_refused_by_its_key_and_not_shown(override: str) -> None:
    with pytest.raises(ConfigError) as refused:
        refuse_secrets(["seed=3", override])
    assert str(refused.value).startswith(f"--set {override.partition('=')[0]}: the value may be a secret")
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    "override",
    [
        "seed=7",
        "generation.k=3",
        "generation.k={2: 0.5, 3: 0.5}",
        "budget.tokens=1000",
        "teacher.sampling.max_tokens=400",
        "teacher.api_key_env=OTHER_KEY",
        "grader={kind: openai, model: m, base_url: 'http://127.0.0.1:8000/v1', api_key_env: MY_TOKEN}",
        "teacher.base_url=https://host:8000/v1?api-version=2024-10-21",
        "teacher.extra_body.chat_template_kwargs.enable_thinking=false",
        "teacher.headers={}",
        "teacher.headers=null",
        "teacher.serve=vllm serve m --port {port} --max-num-batched-tokens 8192 --tokenizer t",
        "teacher.serve=vllm serve m --api-key $VLLM_API_KEY",
        "train.sft.args.pad_token=<pad>",
        "train.sft.args.push_to_hub=false",
        "name=the key to tokens",
        "generation.prompts=keys/headers",
        "filters.too_short.min_words=40",
        "not an override",
        "x={",
    ],
)
def test_all_else_passes(override: str) -> None:
    refuse_secrets([override])
