"""The form of the answer that an instruction requests: how many words a complete answer to a closed task has.

A closed task has a short right answer: yes or no, an option, a number, a name, a sentence, a haiku, a text for a child.
Its answer is judged by whether it is complete and of the requested form, and not by its length. The cues are English.
"""

import re
from typing import NamedTuple

from skillmill.data.text.phrases import contains_any
from skillmill.data.text.tokens import TOKEN

COUNTS = {word: n for n, word in enumerate("no one two three four five six seven eight nine ten".split())}
COUNTS |= {
    "a": 1,
    "an": 1,
    "single": 1,
    "few": 3,
    "twelve": 12,
    "fifteen": 15,
    "twenty": 20,
    "fifty": 50,
    "hundred": 100,
}
COUNT = rf"(?P<count>\d{{1,3}}|{'|'.join(COUNTS)})"
FEWEST_OF_LIMIT, MOST_OF_LIMIT = 0.4, 1.6
"""The share of a requested number of words that a complete answer has."""
WORDS_OF = {"word": 1, "line": 15, "phrase": 8, "sentence": 30, "name": 5, "item": 12, "example": 12}
MOST_WITH_REASON = 40
"""The most words of a short answer that gives a reason or repeats the question."""


class RequestedForm(NamedTuple):
    """How long a complete answer is.

    Attributes:
        kind: the kind of closed task, "" for an open one.
        fewest: the least number of words; 0 for an open task.
        most: the largest number of words of such a short answer; 0 for an open task.
    """

    kind: str
    fewest: float
    most: float


OPEN = RequestedForm("", 0, 0)
WHY = re.compile(
    r"\b(?:why|explain|describe|discuss|elaborate|in detail|detailed|step[- ]by[- ]step|essay|article|show your work"
    r"|paragraphs?|provide (?:an?|your) (?:explanation|reasoning)|justify|tutorial|guide|pros and cons|compare)\b"
)
"""A request for more than a short answer."""
EXPLICIT = re.compile(
    rf"\b(?:in|with|using|of|about|under|at most|exactly|max(?:imum)?(?: of)?|no more than|(?:less|fewer) than|only"
    rf"|up to|"
    rf"just|around|approximately|write|give(?: me)?|provide|as|state)(?: only| just| about| a| one)?\s+{COUNT}[- ]+"
    r"(?:(?:very |short |simple |single |brief |complete )*)(?P<unit>word|sentence|line|phrase)s?\b"
)
EXPLICIT_SIGNS = ("word", "sentence", "line", "phrase")
"""The signs of `EXPLICIT`."""
CHILD = re.compile(
    r"\b(?:(?:\d|ten|five|six|seven|eight)[- ]?(?:years?|yrs?)[- ]old|toddlers?|kindergart\w+|preschool\w*"
    r"|small child(?:ren)?"
    r"|young child(?:ren)?|(?:to|for) (?:a |an? \w+ |my |little |small )?(?:child|children|kids?|toddler)"
    r"|like i'?m five|eli5"
    r"|bedtime story)\b"
)
CHILD_SIGNS = ("old", "child", "kid", "toddler", "kindergart", "preschool", "five", "eli5", "bedtime")
"""The signs of `CHILD`, see `contains_any`."""
SHORT_STORY = re.compile(
    r"\b(?:very short|short|brief|tiny|mini|little) (?:\w+ ){0,2}(?:story|tale|poem|fable|verse)\b"
)
SHORT_STORY_SIGNS = ("story", "tale", "poem", "fable", "verse")
"""The signs of `SHORT_STORY`."""
MADE_UP = re.compile(
    r"\b(?:haiku|limerick|couplet|riddle|joke|pun|slogan|motto|tagline|catchphrase|headline|title|subject line"
    r"|caption|tweet"
    r"|hashtags?|brain ?teaser|puzzle|(?:fun|funny|trick|trivia|quiz|math|ice-?breaker) question"
    r"|nickname|acronym|bio|compliment|toast|one-liner|names? (?:for|of a|of an)\b|(?:invent|suggest|create"
    r"|come up "
    r"with|give(?: me)?|think of) (?:a|an|me a|the) (?:\w+ ){0,3}name\b|metaphor|simile|analogy|epitaph|greeting"
    r"|motto)\b"
)
WORD_TASK = re.compile(
    r"\b(?:synonyms?|antonyms?|opposite of|rhym\w+|plurals?|past tense|abbreviation|anagram|unscramble|spell"
    r"|spelling of"
    r"|part of speech|one word|single word|single-word|word for|homophone|palindrome|noun|verb|adjective|prefix"
    r"|emojis?)\b"
)
CHOICE = re.compile(
    r"\b(?:which (?:one|of|is|are|was|word|number|option|answer|statement|sentence|country|city|planet|animal|two"
    r"|three)\b|choose|select|pick"
    r"|odd one out|does not belong|doesn't belong|multiple[- ]choice|correct (?:option|answer|choice)|options?:"
    r"|choices?:)"
    r"|(?:^|[\s(])(?:a[).:]|\(a\)|- a\))\s.{1,200}?(?:[\s(]b[).:]|\(b\))",
    re.DOTALL,
)
CLASSIFY = re.compile(
    r"\b(?:classif\w+|categori[sz]e\w*|sentiment|label|true or false|yes or no|yes/no|spam|positive(?:,| or) n\w+"
    r"|detect (?:if|whether)"
    r"|decide (?:if|whether)|determine (?:if|whether|the)|identify (?:if|whether|the)|tell (?:me )?(?:if|whether)"
    r"|judge (?:if|whether)"
    r"|predict|rate (?:the|this)|emotion|genre|whether (?:the|this|it|or not)|is it (?:a|an|true)|answer with"
    r"|correct or incorrect"
    r"|does it|verify (?:if|whether)|check (?:if|whether)|language is|which language|topic of|answer:)"
)
FILL = re.compile(
    r"_{2,}|<(?:mask|blank)>|\[(?:mask|blank)\]|\b(?:fill in|blanks?\b|complete the (?:sentence|proverb|phrase"
    r"|following|quote|analogy|idiom|saying)|missing (?:word|number|letter)|next (?:number|word|letter|term)"
    r"|finish the)"
)
NUMBER_TASK = re.compile(
    r"\b(?:how (?:many|much|old|long|far|tall|fast|big)|calculate|compute|solve|evaluate|simplify"
    r"|convert(?:ing)?|sum of"
    r"|product of|(?:prime|even|odd|perfect|natural|square) numbers|average|mean of"
    r"|median|percent(?:age)?|square root|area of|perimeter|volume of|probability|what (?:time|is the value|is \d"
    r"|are \d|number|percentage)"
    r"|count|round|factor|derivative|integral|equation|equals?|digits?|remainder|divided? by|times|plus|minus|cost)\b"
    r"|\d\s*[-+*/×÷^=%]\s*\d|\d\s?%"
)
FACT = re.compile(
    r"(?:^|[.:?!]\s*|\n[^\S\n]*)(?:who|whom|whose|when|where|in (?:which|what)|on (?:which|what)|which"
    r"|what (?:year|country|city|color|colour|kind|type|day|date|"
    r"language|animal|is the (?:\w+ ){0,3}(?:name|capital|symbol|largest|smallest|longest|tallest|highest|oldest"
    r"|fastest|biggest|most|"
    r"currency|author|date|year|time|answer|result|value|color|colour|number|population|language|formula|unit|first"
    r"|last|word|term|best-selling|"
    r"title|difference between \d|meaning|distance|speed|boiling|freezing|melting|nickname|president|country|city)|"
    r"(?:has|have|gets?|comes?|can you|do you call|are the names?)))\b|\b(?:name|tell me|give) the\b"
    r"|\bthe capital of\b|\bname (?:of )?(?:a|an|one)\b"
)
CHANGE = re.compile(
    r"\b(?:translat\w+|rewrite|re-write|rephrase|paraphrase|reword|correct|fix|edit|proofread|convert|change"
    r"|transform|make (?:this|the|it|these)"
    r"|simplify|shorten|turn (?:this|the|it|each)|replace|remove|reverse|punctuat\w+|capitali[sz]e|formali[sz]e"
    r"|reformulate|combine|improve"
    r"|decode|encode|put the|say (?:this|it)|grammar|how do you say|passive|active voice|tense|parse|format)\b"
)
EXTRACT = re.compile(
    r"\b(?:extract|find (?:the|all|out|a)|identify|pick out|list (?:the|all|out)|what (?:are|is|was"
    r"|were) the (?:names?|subject|main|key|topic|first|last)|underline|highlight"
    r"|match|keywords?|named entit\w+|mentioned|from the (?:text|passage|paragraph|table|sentence|list|article)"
    r"|given (?:a|an|the|this)|based on|according to)\b"
)
SUMMARY = re.compile(r"\b(?:summari[sz]e|summary|tl;?dr|gist|main (?:idea|point)|headline)\b")
ORDER = re.compile(r"\b(?:sort|order|arrange|rank|alphabeti\w+|ascending|descending|rearrange|reorder)\b")
CODE_LINE = re.compile(
    r"\b(?:command|expression|one-liner|regex|regular expression|formula|query|sql|selector|shortcut|shell|bash|css)\b"
)
DEFINE = re.compile(r"\b(?:define|definition|what does .{1,40} (?:mean|stand for)|meaning of|stand for)\b")
YES_NO = re.compile(
    r"(?:^|[.:!?]\s*|\n[^\S\n]*)(?:is|are|was|were|do|does|did|has|have|had|will|would|could|should|can|may|must)(?:n't)?\s+"
    r"(?!(?:you|we|there (?:any|a way)|i|my)\b)[^?\n]{3,160}\?"
)
NAMED = re.compile(
    rf"\b(?:name|list|give(?: me)?|what are(?: the)?|mention|suggest|write|generate|provide) (?:me |the |any "
    rf"|at least )*{COUNT} (?:[a-z'-]+ ){{0,3}}[a-z]+s\b"
)
LONG_ITEMS = re.compile(
    r"\b(?:tips|ways|reasons|ideas|steps|strategies|benefits|advantages|methods|paragraphs|suggestions"
    r"|recommendations|techniques|questions|stories|topics|sentences|facts|uses|activities)\b"
)
QUOTED = re.compile(r"[\"“']([^\"”\n]{6,400})[\"”']|:\s*([^\n]{4,400})$", re.MULTILINE)


def requested_form(low: str, ends: str, given: str, words: int) -> RequestedForm:
    """Return the form that an instruction requests.

    `low` is the instruction in lower case, `ends` its beginning and end, where the request is, `given` the text after
    its first line, `words` its number of words.
    """
    if contains_any(ends, EXPLICIT_SIGNS) and (match := EXPLICIT.search(ends)):
        number = COUNTS.get(match["count"]) or int(match["count"] if match["count"].isdigit() else 1)
        size = number * WORDS_OF[match["unit"]]
        if size <= 150:
            fewest = (
                FEWEST_OF_LIMIT * size if match["unit"] == "word" and number > 3 else 1 if size < 20 else number * 4
            )
            return RequestedForm("limit", fewest, MOST_OF_LIMIT * size + 3)
    if contains_any(ends, CHILD_SIGNS) and CHILD.search(ends):
        return RequestedForm("child", 25, 180)
    if contains_any(ends, SHORT_STORY_SIGNS) and SHORT_STORY.search(ends):
        return RequestedForm("short text", 12, 160)
    more = WHY.search(ends) is not None
    chooses = CLASSIFY.search(ends) is not None
    if MADE_UP.search(ends) and not more and not chooses:
        return RequestedForm("made up", 1, 40)
    given_words = len(TOKEN.findall(given)) or _quoted_words(low)
    if given_words and CHANGE.search(ends) and not SUMMARY.search(ends):
        return RequestedForm("change", max(1, 0.3 * min(given_words, 300)), 1.8 * min(given_words, 300) + 10)
    if more:
        return OPEN
    if WORD_TASK.search(ends):
        return RequestedForm("word", 1, 25)
    if FILL.search(ends):
        return RequestedForm("fill in", 1, max(MOST_WITH_REASON, 1.2 * given_words))
    if chooses or CHOICE.search(ends):
        return RequestedForm("choose", 1, MOST_WITH_REASON)
    if ORDER.search(ends) and given_words:
        return RequestedForm("order", max(1, 0.5 * given_words), 1.5 * given_words + 10)
    if NUMBER_TASK.search(ends):
        return RequestedForm("number", 1, MOST_WITH_REASON)
    if EXTRACT.search(ends) and given_words:
        return RequestedForm("extract", 1, max(25, 0.8 * given_words))
    if FACT.search(ends) and (words <= 20 or given_words):
        return RequestedForm("fact", 1, MOST_WITH_REASON)
    if YES_NO.search(ends) and words <= 40 + 10 * given_words:
        return RequestedForm("yes or no", 1, MOST_WITH_REASON)
    if (match := NAMED.search(ends)) and not LONG_ITEMS.search(ends):
        number = COUNTS.get(match["count"]) or int(match["count"] if match["count"].isdigit() else 1)
        if number <= 10:
            return RequestedForm("list", number, 8 * number + 5)
    if DEFINE.search(ends):
        return RequestedForm("define", 4, 60)
    if CODE_LINE.search(ends) and words <= 40:
        return RequestedForm("code", 1, 40)
    if SUMMARY.search(ends) and given_words:
        return RequestedForm("summary", max(5, 0.05 * given_words), max(20, 0.6 * given_words))
    return OPEN


def _quoted_words(low: str) -> int:
    """Return the number of words in quotation marks or after a colon, 0 if there are none."""
    matches = QUOTED.findall(low) if contains_any(low, ('"', "“", "'", ":")) else []
    return max((len(TOKEN.findall("".join(match))) for match in matches), default=0)
