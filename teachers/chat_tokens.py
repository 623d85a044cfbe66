"""The control tokens of chat templates, by model family, and their removal at both ends of a reply.

The tokens are those that the families' own tokenizers list as special tokens or that their chat templates write.
"""

import re

from skillmill.data.text.lazy_patterns import lazy_pattern

TURN_ENDS: dict[str, tuple[str, ...]] = {
    "ChatML: Qwen, Yi, InternLM, SmolLM, Hermes": ("<|im_end|>", "<|endoftext|>"),
    "Llama 2, Mistral, Phi-3 mini, many SentencePiece tokenizers": ("</s>", "<eos>", "<pad>", "<unk>"),
    "Llama 3": ("<|eot_id|>", "<|eom_id|>", "<|end_of_text|>"),
    "Llama 4": ("<|eot|>", "<|eom|>"),
    "Gemma 1 to 3": ("<end_of_turn>",),
    "Gemma 4": ("<turn|>",),
    "Phi-3, Phi-4, gpt-oss": ("<|end|>", "<|return|>", "<|call|>"),
    "DeepSeek": ("<｜end▁of▁sentence｜>", "<|end▁of▁sentence|>", "<|EOT|>"),
    "Command R, Command A, Aya": ("<|END_OF_TURN_TOKEN|>", "<|END_RESPONSE|>"),
    "Granite, Falcon 3": ("<|end_of_text|>", "<|endoftext|>"),
    "EXAONE": ("[|endofturn|]",),
    "MiniMax": ("[e~[", "<end_of_sentence>"),
    "Kimi": ("[EOS]", "[EOT]"),
    "openPangu": ("[unused10]",),
    "Hunyuan": ("<|eos|>", "<|hy_place▁holder▁no▁2|>", "<｜hy_place▁holder▁no▁2｜>"),
    "OpenChat, StarChat": ("<|end_of_turn|>",),
    "Ling, Ring": ("<|role_end|>",),
    "OpenThoughts, Sky-T1": ("<|end_of_solution|>",),
    "Apertus": ("<|assistant_end|>", "<SPECIAL_12>"),
    "Baichuan, XVERSE": ("<reserved_106>", "<reserved_107>"),
    "T5, UL2": ("<extra_id_0>", "<extra_id_1>"),
}
"""Tokens that end a turn or a text."""

TURN_STARTS: dict[str, tuple[str, ...]] = {
    "ChatML": ("<|im_start|>", "<|im_sep|>"),
    "Llama 2, Mistral": (
        "[INST]",
        "[/INST]",
        "<<SYS>>",
        "<</SYS>>",
        "[SYSTEM_PROMPT]",
        "[/SYSTEM_PROMPT]",
        "<s>",
        "<bos>",
    ),
    "Llama 3": ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>"),
    "Llama 4": ("<|header_start|>", "<|header_end|>"),
    "Gemma": ("<start_of_turn>", "<|turn>"),
    "Phi, Zephyr, GLM, StarChat": ("<|system|>", "<|user|>", "<|assistant|>", "<|observation|>", "[gMASK]", "<sop>"),
    "gpt-oss": ("<|start|>", "<|channel|>", "<|message|>", "<|constrain|>"),
    "DeepSeek": ("<｜begin▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"),
    "Command R": ("<|START_OF_TURN_TOKEN|>", "<|USER_TOKEN|>", "<|CHATBOT_TOKEN|>", "<|START_RESPONSE|>"),
    "Granite": ("<|start_of_role|>", "<|end_of_role|>"),
    "EXAONE": ("[|system|]", "[|user|]", "[|assistant|]"),
    "Kimi": ("<|im_user|>", "<|im_assistant|>", "<|im_system|>", "<|im_middle|>"),
    "OpenThoughts, Sky-T1": ("<|begin_of_solution|>",),
    "MiniMax": ("]~b]", "<beginning_of_sentence>"),
    "Ling": ("<role>", "</role>"),
}
"""Tokens that start a turn or a text, or that name its role."""


def _alternatives(table: dict[str, tuple[str, ...]]) -> str:
    tokens = sorted({token for tokens in table.values() for token in tokens}, key=lambda token: (-len(token), token))
    return "|".join(map(re.escape, tokens))


_FORMS = r"<\|/?[\w▁-]{1,40}\|>|<｜/?[\w▁-]{1,40}｜>|\[\|/?\w{1,40}\|\]"
CONTROL_TOKEN = lazy_pattern(f"{_alternatives(TURN_ENDS)}|{_alternatives(TURN_STARTS)}|{_FORMS}")
"""Every control token, of the tables or of the forms that most families use."""
TURN_END = lazy_pattern(_alternatives(TURN_ENDS))
_LAST = lazy_pattern(rf"(?:{_alternatives(TURN_ENDS)})\s*\Z")
_ROLE = r"(?:assistant|model|ai|chatbot|bot|gpt|final)"
_FIRST = lazy_pattern(
    rf"\s*(?:(?:<\|im_start\|>|<start_of_turn>|<\|turn>|<\|start\|>|<role>|\]~b\])[ ]?{_ROLE}(?:\s*</role>)?[ \t]*\n?"
    rf"|<\|(?:start_header_id|header_start|start_of_role)\|>\s*{_ROLE}\s*"
    r"<\|(?:end_header_id|header_end|end_of_role)\|>"
    r"|<\|(?:assistant|im_assistant|CHATBOT_TOKEN|START_RESPONSE|begin_of_solution|START_OF_TURN_TOKEN)\|>"
    r"|<｜Assistant｜>|\[\|assistant\|\]|\[/INST\]|\[gMASK\]|<sop>|<bos>|<\|begin_of_text\|>|<｜begin▁of▁sentence｜>"
    r"|<\|im_middle\|>|assistant[ \t]*\n\s*\n|###[ ]?(?:Response|Assistant|Answer):[ \t]*\n)\s*",
    re.IGNORECASE,
)
"""What a template writes before the assistant's turn."""
STRIKE_END = "</s>"
"""A token that is also the end of the HTML element `<s>`."""
MOST_TOKENS = 50
"""The most control tokens that are cut at the end of a text."""
_MENTION = lazy_pattern(
    r"(?:\b(?:is|are|tokens?|tags?|with|by|uses?|using|as|and|or|called|named|like|to|at|on|after|before|emits?|"
    r"the|an?)|[:,(=]) \Z",
    re.IGNORECASE,
)
"""The end of a text after which a token is part of a sentence about tokens."""


def without_outer_tokens(text: str) -> str:
    """Return the text without the control tokens before its first and after its last word.

    A token that ends a sentence about tokens ("it stops at </s>") stays, and so does `</s>` that closes the HTML
    element `<s>`.
    """
    if opening := re.match(r"\s*<s>(?!\s*</s>)", text):  # a text of SentencePiece; an HTML element closes earlier
        rest = text[opening.end() :]
        if "</s>" not in rest or (rest.count("</s>") == 1 and rest.rstrip().endswith("</s>")):
            text = rest.lstrip()
    for _ in range(MOST_TOKENS):
        if not (opening := _FIRST.match(text)):
            break
        text = text[opening.end() :]
    for _ in range(MOST_TOKENS):
        closing = _last_token(text)
        if closing is None:
            break
        before = text[: closing.start()]
        token = closing[0].strip()
        if _MENTION.search(before[-20:]) or (token == STRIKE_END and before.count("<s>") > before.count("</s>")):
            break
        text = before.rstrip()
    return text


def _last_token(text: str) -> re.Match[str] | None:
    if not text.rstrip().endswith(_LAST_CHARACTERS):
        return None
    return _LAST.search(text, max(0, len(text.rstrip()) - _LONGEST))


_LAST_CHARACTERS = tuple({token[-1] for tokens in TURN_ENDS.values() for token in tokens})
_LONGEST = max(len(token) for tokens in TURN_ENDS.values() for token in tokens)
