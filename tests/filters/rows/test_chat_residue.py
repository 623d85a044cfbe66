"""Control tokens, reasoning and invented turns in texts, and texts that are about them."""

import pytest
from example_rows import ADVICE_CELL, ANSWER, QUESTION, reasons
from hypothesis import given
from hypothesis import strategies as st

from skillmill.filters.invented_turns import without_invented_turns

NEXT = "How do I cook rice?"
FOREIGN = [
    f"<|im_end|>\n<|im_start|>user\n{NEXT}<|im_end|>\n<|im_start|>assistant\nBoil it.",
    f"</s><s>[INST] {NEXT} [/INST] Boil it.",
    f"<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n{NEXT}",
    f"<end_of_turn>\n<start_of_turn>user\n{NEXT}",
    f"\n<|user|>\n{NEXT}\n<|assistant|>\nBoil it.",
    f"<｜User｜>{NEXT}<｜Assistant｜>Boil it.",
    f"[|endofturn|]\n[|user|]{NEXT}",
    f"<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|USER_TOKEN|>{NEXT}",
    f"\n\nUser: {NEXT}\n\nAssistant: Boil it.",
    f"\n\nHuman: {NEXT}",
    f"\n**User:** {NEXT}\n**Assistant:** Boil it.",
    f"\n\n### Instruction:\n{NEXT}\n\n### Response:\nBoil it.",
    f"\n\n### Human: {NEXT}\n### Assistant: Boil it.",
    f"\nUSER: {NEXT}\nASSISTANT: Boil it.",
    f"\nuser\n{NEXT}\nassistant\nBoil it.",
    f"\nuser\n{NEXT}\nmodel\nBoil it.",
    "assistant\n\nPick a quiet evening.",
    f"\n\n用户：{NEXT}\n助手：煮。",
    f"\n\nUsuario: {NEXT}\nAsistente: Hiérvelo.",
]


@pytest.mark.parametrize("more", FOREIGN)
def test_an_invented_turn_is_cut_after_a_complete_answer_and_else_rejected(more: str) -> None:
    assert without_invented_turns(ANSWER + more, QUESTION) == ANSWER
    assert "chat_residue" in reasons(ANSWER + more)
    unfinished = "Pick a quiet evening and say to" + more
    if not more.startswith("assistant"):
        assert without_invented_turns(unfinished, QUESTION) == unfinished
        assert "chat_residue" in reasons(unfinished)


@pytest.mark.parametrize(
    "response",
    [
        f"I begin. <think>They ask about milk. {ANSWER}",
        f"{ANSWER} Wait.</reasoning> {ANSWER}",
        f"The reader asks of milk [/THINK] and so on. {ANSWER}",
        f"analysisWe need to answer. {ANSWER}",
        f"thought\nThe user wants help. {ANSWER}",
        f"{ANSWER} <|fim_middle|> {ANSWER}",
        f"Pick <|endoftext|> a quiet evening. {ANSWER}",
    ],
)
def test_what_cannot_be_cut_is_rejected(response: str) -> None:
    assert "chat_residue" in reasons(response)


def test_residue_in_an_instruction_is_rejected() -> None:
    assert "chat_residue" in reasons(ANSWER, instruction=f"{QUESTION}<|im_end|>\n<|im_start|>assistant")


@pytest.mark.parametrize(
    ("instruction", "response"),
    [
        ("Explain ChatML's chat template to me.", f"Each turn ends with <|im_end|>. {ANSWER}"),
        ("Which special tokens does Llama 3 have?", f"It has <|eot_id|> and <|begin_of_text|>. {ANSWER}"),
        (QUESTION, f"{ANSWER} Such models stop at `<|im_end|>` or `</s>`."),
        (QUESTION, f"{ANSWER}\n\n```\n<|im_start|>user\nHi<|im_end|>\nUser: a\nAssistant: b\n```\n\nThat is all."),
        (QUESTION, f"{ANSWER}\n\n    <|user|>\n    Hi\n\nThat is all."),
        (
            "Write a dialogue of a user and an assistant about milk.",
            "User: Where is it?\n\nAssistant: Gone.\n\nUser: Oh.",
        ),
        ("Write a short interview.", f"{ANSWER}\n\nHuman: Who are you?\n\nAI: A fridge."),
        ("How do I strike out a price in HTML?", f"Write <s>$50</s> and <thought>. {ANSWER}"),
        (QUESTION, f"The old price was <s>$50</s>. {ANSWER}"),
        ("How many chromosomes do animals have?", "Here they are.\n\nHuman: 46\nMouse: 40\nDog: 78\nCat: 38\n"),
        (
            "Who works in a film crew?",
            "These do.\n\nDirector: leads.\nAssistant: helps.\nEditor: cuts.\nWriter: writes.",
        ),
        ("How is a thriller built?", f"{ANSWER}\n\n### Instructions:\n1. Begin.\n\n### Response: none."),
        ("What is a prompt for a bot?", f"{ANSWER}\n\n### Instruction:\nDo it.\n\n### Response:\nDone."),
        ("How do reasoning models mark their thoughts?", f"They write <think> and </think>. {ANSWER}"),
        (QUESTION, f"The user\nand the assistant\nshare a fridge. {ANSWER}"),
        ("Which operators does F# have?", f"It has |> and <| and <||>. {ANSWER}"),
        (QUESTION, f"{ANSWER} [INSTRUCTOR] is no token, nor is <start>."),
        (QUESTION, f"On the analysis: we need an assistant. {ANSWER}"),
    ],
)
def test_texts_about_tokens_and_dialogues_are_left_alone(instruction: str, response: str) -> None:
    assert without_invented_turns(response, instruction) == response
    assert "chat_residue" not in reasons(response, instruction=instruction)


PIECES = [
    "<|",
    "|>",
    "<think>",
    "</s>",
    "User:",
    "\n\n",
    "Assistant:",
    "`",
    "```\n",
    "a ",
    "<s>",
    "assistant\n\n",
    ": ",
]


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_any_text_is_decided_and_a_cut_is_a_beginning(text: str) -> None:
    assert text.startswith(without_invented_turns(text, QUESTION))
    reasons(text, ADVICE_CELL)


@pytest.mark.parametrize("piece", [*PIECES, "user\n", "\nUser: a\n", "# ", "<|a", "`a\n"])
@pytest.mark.timeout(20)
def test_long_texts_are_decided_at_once(piece: str) -> None:
    without_invented_turns(piece * (100_000 // len(piece)), "")
