"""Reasoning is set apart in every known form, control tokens at the ends go, and texts about them stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillmill.teachers.reasoning import separate_reasoning

ANSWER = "Paris is the capital."
THOUGHT = "The user asks, so I think."
NAMES = ["think", "thinking", "thought", "reasoning", "reflection", "Think", "THINKING", "seed:think", "mm:think"]
CHANNEL = "<|channel|>analysis<|message|>"
FINAL = "<|start|>assistant<|channel|>final<|message|>"


@pytest.mark.parametrize(
    ("text", "answer", "thinking"),
    [
        ("<think>a\nb</think>\n\nc", "c", "a\nb"),
        ("\n<think></think>c", "c", ""),
        ("a</think>c", "c", "a"),
        ("<think>a, cut by the length", "", "a, cut by the length"),
        ("<think>a</think>\n<think>b</think>c", "c", "a\nb"),
        ("<think>I use <think>b</think> tags</think>c", "c", "I use <think>b</think> tags"),
        ("plain", "plain", ""),
    ],
)
def test_thinking_is_told_from_the_answer(text: str, answer: str, thinking: str) -> None:
    assert separate_reasoning(text) == (answer, thinking)


@pytest.mark.parametrize(
    "text",
    [
        *(f"<{name}>{THOUGHT}</{name}>\n\n{ANSWER}" for name in NAMES),
        f"[THINK]{THOUGHT}[/THINK]{ANSWER}</s>",
        f"\u25c1think\u25b7{THOUGHT}\u25c1/think\u25b7{ANSWER}",
        f"<|begin_of_thought|>\n{THOUGHT}\n<|end_of_thought|>\n<|begin_of_solution|>\n{ANSWER}\n<|end_of_solution|>",
        f"Okay, let me think first.\n<think>{THOUGHT}</think>\n{ANSWER}",
        f"Sure! <think>{THOUGHT}</think>{ANSWER}",
        f"{THOUGHT}</think>\n\n{ANSWER}",
        f"{THOUGHT}</reasoning>{ANSWER}",
        f"{CHANNEL}{THOUGHT}<|end|>{FINAL}{ANSWER}<|return|>",
        f"<|start|>assistant{CHANNEL}{THOUGHT}<|end|>{FINAL}{ANSWER}",
        f"analysis{THOUGHT}assistantfinal{ANSWER}",
        f"analysis\n{THOUGHT}\nassistant final {ANSWER}",
        f"<|channel>thought\n{THOUGHT}<channel|>{ANSWER}<turn|>",
        f"<unused94>thought\n{THOUGHT}<unused95>{ANSWER}",
        f"Here is my thought process: {THOUGHT} Here is my response: {ANSWER}",
        f"<|START_THINKING|>{THOUGHT}<|END_THINKING|><|START_RESPONSE|>{ANSWER}<|END_RESPONSE|>",
        f"<|inner_prefix|>{THOUGHT}<|inner_suffix|>{ANSWER}",
        f"[unused16]{THOUGHT}[unused17]{ANSWER}[unused10]",
        f"<think>{THOUGHT}</think><answer>\n{ANSWER}\n</answer>",
        f"<thinking>{THOUGHT}<reflection>Yes.</reflection></thinking><output>{ANSWER}</output>",
        f"```thinking\n{THOUGHT}\n```\n{ANSWER}",
        f"&lt;think&gt;{THOUGHT}&lt;/think&gt;{ANSWER}",
        f'<details type="reasoning" done="true">\n{THOUGHT}</details>\n{ANSWER}',
    ],
)
def test_every_form_of_reasoning_is_set_apart(text: str) -> None:
    answer, thinking = separate_reasoning(text)
    assert answer.strip() == ANSWER
    assert THOUGHT in thinking


@pytest.mark.parametrize(
    "text",
    [
        f"{ANSWER}<|im_end|>",
        f"{ANSWER}</s></s>",
        f"{ANSWER}<|eot_id|>\n",
        f"{ANSWER} <end_of_turn>",
        f"{ANSWER}<|endoftext|>",
        f"{ANSWER}<\uff5cend\u2581of\u2581sentence\uff5c>",
        f"<s> {ANSWER}</s>",
        f"<|im_start|>assistant\n{ANSWER}<|im_end|>",
        f"<|start_header_id|>assistant<|end_header_id|>\n\n{ANSWER}<|eot_id|>",
        f"assistant\n\n{ANSWER}",
        f"<|assistant|>\n{ANSWER}",
        f"### Response:\n{ANSWER}",
    ],
)
def test_control_tokens_at_the_ends_are_cut(text: str) -> None:
    assert separate_reasoning(text) == (ANSWER, "")


@pytest.mark.parametrize(
    "text",
    [
        "write <think> and </think> around it",
        "Use `<think>` first.\nThen `</think>`.",
        "The tag </think> closes it.",
        "To show reasoning, wrap it in tags:\n<think>\nx\n</think>\nThen answer.",
        "It stops at </s>",
        "Its last token is <|im_end|>",
        "<s>$50</s> now $30",
        "Was <s>$50</s>",
        "```xml\n<think>a</think>\n```\nThat is it.",
        '{"a": "<think>x</think>y"}',
        "The assistant final exam is on Monday.",
        "analysis of the final budget shows the assistant final report",
    ],
)
def test_texts_about_them_are_left_alone(text: str) -> None:
    assert separate_reasoning(text) == (text, "")


@given(st.text(), st.text())
def test_a_thought_never_reaches_the_answer(thought: str, answer: str) -> None:
    thought = thought.replace("</think>", "")
    assert separate_reasoning(f"<think>{thought}</think>{answer}") == (answer.lstrip(), thought.strip())


def test_reasoning_of_the_engine_and_of_the_text_are_joined() -> None:
    assert separate_reasoning("<think>b</think>c", "a") == ("c", "a\nb")


@pytest.mark.parametrize(
    "piece", ["<think>", "</think>", "<|channel|>a<|message|>", "analysis", "<s>", "</s>", "`", "<"]
)
@pytest.mark.timeout(20)
def test_long_replies_are_read_at_once(piece: str) -> None:
    separate_reasoning(piece * (100_000 // len(piece)))
