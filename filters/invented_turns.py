"""Finds turns of a chat that a model invented after its answer: another request, and its own answer to it."""

import re

from skillmill.data.text.code import without_code
from skillmill.data.text.lazy_patterns import lazy_pattern
from skillmill.data.text.phrases import SignSearch
from skillmill.teachers.chat_tokens import CONTROL_TOKEN

_USERS = "user|human|usuario|usuário|utilisateur|benutzer|nutzer|utente|пользователь|用户|使用者|人类|ユーザー|사용자"
_USER = f"(?:{_USERS})"
_ASSISTANT = (
    r"(?:(?:ai )?assistant|ai|bot|chatbot|asistente|assistente|assistent|ассистент|助手|助理|アシスタント|어시스턴트)"
)
_MARKS = r"[ \t>*_#\[(]{0,8}"
_COLON = r"[*_\])]{0,3}[ \t]?[:：][*_]{0,2}"
USER_LABEL = lazy_pattern(rf"^{_MARKS}{_USER}{_COLON}", re.IGNORECASE | re.MULTILINE)
ASSISTANT_LABEL = lazy_pattern(rf"^{_MARKS}{_ASSISTANT}{_COLON}", re.IGNORECASE | re.MULTILINE)
ANY_LABEL = lazy_pattern(rf"^{_MARKS}[^\W\d][\w ]{{0,30}}{_COLON}", re.MULTILINE)
"""Any name with a colon at the head of a line: a glossary or a list of roles has several."""
TEMPLATE_HEAD = lazy_pattern(
    r"^#{2,3} ?(?:Instruction|Human|User|Assistant):"  # Alpaca, Vicuna
    r"|^(?:USER|ASSISTANT): "  # Vicuna
    r"|^(?:user|human)[ \t]*\n(?=(?:.*\n){1,40}?(?:assistant|model)[ \t]*\n)"  # ChatML and Gemma without their tokens
    r"|(?<=[.!?)\"”’*\]`])\s*assistant\n\n",  # Llama 3 without its tokens
    re.MULTILINE,
)
"""What only the template of a chat writes."""
DIALOGUE = lazy_pattern(
    r"\b(?:dialog\w*|conversation\w*|chat\w*|scripts?|interview\w*|transcripts?|role[- ]?play\w*|skits?|scenes?|"
    r"screenplay|monologue|exchange|bots?|assistants?|users?|humans?|prompts?|few-shot|templates?|tokens?|"
    r"customer service|support agent|Q ?& ?A|fine-?tun\w*|language models?|LLMs?|diálogo|conversación|dialogue|Gespräch"
    r"|диалог\w*)\b|对话|會話|会話|聊天|剧本|대화|^(?:user|human)\s*:",
    re.IGNORECASE | re.MULTILINE,
)
"""An instruction whose answer may have turns of a chat in it."""
ABOUT_TOKENS = lazy_pattern(
    r"\b(?:chat[- ]?templates?|chatml|tokens?|tokeni[sz]\w+|prompts?|fine-?tun\w*|llms?|language models?|transformers?|"
    r"html\d?|xml|mark-?up|tags?|elements?|web ?pages?|css|strikethrough|reasoning models?|chain[- ]of[- ]thought|"
    r"f#|elixir|jinja|regex\w*|pars(?:er|e|ing))\b|<\|?/?\w|\[/?INST\]",
    re.IGNORECASE,
)
"""An instruction whose answer may name tokens and tags."""
SIGNS = {
    CONTROL_TOKEN: ("<", "[", "]~b]"),
    TEMPLATE_HEAD: ("user", "human", "assistant", "## instruction:", "##instruction:"),
    USER_LABEL: tuple(f"{user}{end}" for user in _USERS.split("|") for end in (*":：*_])", " :", " ：", "\t:", "\t：")),
}
"""For each pattern its signs in lower case. Searching for them first is faster."""
_SIGNS = SignSearch(SIGNS)
LONGEST_ELEMENT = 200
"""The longest text in characters that the HTML element `<s>` strikes out."""
_COMPLETE = lazy_pattern(r"[.!?…。！？\"'”’»)\]}*_`~|;]\s*\Z")


def invented_turn(text: str, instruction: str) -> int | None:
    """Return the position where an invented turn begins after a complete answer, None if there is none.

    A turn begins with a control token of a chat template, with the head of a template, or with the label of a user
    whose turn is the last or is answered. Code, and answers to instructions about chats, are left alone.
    """
    signs = _SIGNS.found(text.lower())
    if not signs:
        return None
    prose = without_code(text)
    found = [
        start
        for pattern, find, allowing in _TURNS
        if pattern in signs
        and (start := find(prose))
        and text[:start].strip()
        and not allowing.search(instruction)  # last, because most texts have no turn
    ]
    return min(found, default=None)


def without_invented_turns(text: str, instruction: str) -> str:
    """Return the answer up to its first invented turn; a text that is not complete there is returned whole."""
    start = invented_turn(text, instruction)
    if start is None or not _COMPLETE.search(text[:start]):
        return text
    return text[:start].rstrip()


def _control_token(prose: str) -> int | None:
    for token in CONTROL_TOKEN.finditer(prose):
        if not _is_html(token, prose):
            return token.start()
    return None


def _is_html(token: re.Match[str], prose: str) -> bool:
    """Return whether a token is the HTML element `<s>` or its end."""
    if token[0] == "<s>":
        return "</s>" in prose[token.end() : token.end() + LONGEST_ELEMENT]
    before = prose[max(0, token.start() - LONGEST_ELEMENT) : token.start()]
    return token[0] == "</s>" and before.rfind("<s>") > before.rfind("</s>")


def _template_head(prose: str) -> int | None:
    head = TEMPLATE_HEAD.search(prose)
    return head.start() if head else None


def _labelled_turn(prose: str) -> int | None:
    """Return the position of the first label of a user that no glossary explains: few lines have other labels."""
    user = USER_LABEL.search(prose)
    if user is None:
        return None
    own = len(USER_LABEL.findall(prose)) + len(ASSISTANT_LABEL.findall(prose))
    others = len(ANY_LABEL.findall(prose[max(0, user.start() - 200) :])) - own
    answered = ASSISTANT_LABEL.search(prose, user.end()) is not None
    after_a_paragraph = prose[: user.start()].rstrip(" \t").endswith("\n\n") or answered
    return user.start() if after_a_paragraph and others < 2 else None


_TURNS = (
    (CONTROL_TOKEN, _control_token, ABOUT_TOKENS),
    (TEMPLATE_HEAD, _template_head, DIALOGUE),
    (USER_LABEL, _labelled_turn, DIALOGUE),
)
"""The pattern of each kind of turn, the function that finds where it begins, and the instructions that allow it."""
