"""What looks like a skill of `builtin:checkable` to a pattern and is none: "waited a second", "a ratio of 10:15".

A look-alike is three patterns: for the end of what stands before the match, for the match, and for the beginning of
what stands after it. All three look at one line only, and at most `REACH` characters before the match.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

REACH = 60
"""The number of characters before a match that are looked at."""


class LookAlike(NamedTuple):
    """Patterns for the text before, of and after a match that shows nothing; an empty pattern always matches."""

    before: str = ""
    match: str = ""
    after: str = ""


class Compiled(NamedTuple):
    """The compiled patterns of a `LookAlike`."""

    before: re.Pattern[str]
    match: re.Pattern[str]
    after: re.Pattern[str]


def compiled(lookalikes: Iterable[LookAlike]) -> tuple[Compiled, ...]:
    """Return the look-alikes with their patterns compiled; case is ignored."""
    return tuple(
        Compiled(
            re.compile(rf"(?:{one.before})\Z", re.IGNORECASE),
            re.compile(one.match, re.IGNORECASE),
            re.compile(one.after, re.IGNORECASE),
        )
        for one in lookalikes
    )


def is_lookalike(text: str, start: int, end: int, lookalikes: Iterable[Compiled]) -> bool:
    """Return whether `text[start:end]`, where it stands, is one of the look-alikes."""
    return any(
        one.after.match(text, end)
        and one.match.search(text[start:end])
        and one.before.search(text, max(0, start - REACH), start)
        for one in lookalikes
    )


_STOP = r"(?:[ ]*[.,;:!?)\]”\"…—–\n]|[ ]*\Z)"
_OBJECT = r"(?:the|an?|him|her|them|us|me|his|my|our|your|their|its|everyone|everybody|nobody|anybody)\b"
_CLAUSE_WORD = (
    r"(?:later|ago|longer|or|to|before|after|and|while|when|until|passed|counts|of|earlier|more|apart|than|with|in|on|"
    r"at|but|as|is|was|i|he|she|we|they|it|please|flat)\b"
)
_NO_NOUN = (
    r"(?:is|was|were|are|had|has|and|or|to|the|an?|his|her|its|their|still|also|never|always|often|only|now|no|not|"
    r"that|which|who|when|where|in|on|at|by|for|with|as|it|he|she|they|we|i|you|did|will|would|can|could|until|"
    r"onwards?|saw|began|brought|made|left|took|gave|came|led|put|set|cost|broke|found|became|marks|ends|begins|"
    r"shows|seems|plus|thus|perhaps|\w+ed|\w+ly)\b"
)
_PLURAL = r"(?:men|women|people|children|feet|sheep|[a-z]{2,}s)\b"
_UNIT = (
    r"(?:words|(?:kilo|mega|giga)?bytes|bits|pixels|persons|(?:kilo|centi|milli)?met(?:er|re)s?|miles|km|m|feet|yards|"
    r"kilo\w*|grams|tons|tonnes|lit(?:er|re)s|gallons|dollars|euros|pounds|votes|days|hours|hrs|minutes|steps|pages|"
    r"points|times|tries|copies|rpm|square|volts|watts|degrees|calories|parts|pieces|characters|lines)\b"
)
_BOOK = (
    r"(?:genesis|exodus|leviticus|numbers|deuteronomy|joshua|judges|ruth|samuel|kings|chronicles|ezra|nehemiah|esther|"
    r"job|psalms?|proverbs|ecclesiastes|isaiah|jeremiah|lamentations|ezekiel|daniel|hosea|joel|amos|jonah|micah|"
    r"matthew|mark|luke|john|acts|romans|corinthians|galatians|ephesians|philippians|colossians|thessalonians|timothy|"
    r"titus|hebrews|james|peter|jude|revelation|surah?|verse|chapter)"
)
_TIME_PREPOSITION = r"(?:at|by|until|till|from|before|after|around|since|to|about|is)\b"
_LOSE = r"(?:los[et]\w*|gain\w*|weigh\w*|lift\w*|shed\w*|carr\w+|drop\w*|put on|heavier)"
_ABOUT = r"(?:(?:about|around|over|nearly|at least|almost|some|up to|only|by) )?"

LOOKALIKES: dict[str, tuple[LookAlike, ...]] = {
    "exclamation": (
        LookAlike(match=r"^\d+!", after=r"[ ]?[a-z=+*/^-]"),  # the factorial 5! equals
        LookAlike(after=r"[=\[]"),  # a!= b, an image of Markdown
    ),
    "direct speech": (
        LookAlike(before=r"\d"),  # inches
        LookAlike(  # the title of a work, a word that is talked about
            before=r"\b(?:so-called|titled|entitled|called|named|nicknamed|dubbed|known as|words?|terms?|phrase|novel|"
            r"film|movie|book|song|poem|play|article|essay|story|album|series|show|chapter|label(?:l?ed)?|painting) "
        ),
    ),
    "parenthesis": (LookAlike(before=r"[a-z0-9_\])]"),),  # print(a, b), a link of Markdown
    "semicolon": (LookAlike(match=r", [^;]*; +(?:and|or) "),),  # Rome, Italy; and Oslo
    "colon before a list": (
        LookAlike(match=r"^(?:note|tip|warning|hint|caution):"),
        LookAlike(
            match=r": +(?:(?:i|you|he|she|it|we|they|there|this|that|who|what|if|when|because|as|to|not|no|yes|well)\b"
            r"|(?:\w+ ){1,2}(?:is|are|was|were|has|had|will|can|must|should|do|does|did)\b)"
        ),
    ),
    "ellipsis": (LookAlike(after=r"\.*\d"),),  # 0...9, the leader of a table of contents
    "hyphenated compound": (
        LookAlike(match=r"^(?!t-test)([a-z]{1,2})-\1"),  # I-I, b-but
        LookAlike(before=r"[/.@#_=\\-]"),
        LookAlike(after=r"(?-i:\.[a-z])|[/@_=\\]"),  # my-file.txt
    ),
    "percentage": (LookAlike(match="%$", after=r"[ ]?\d|[a-z]"),),  # 10 % 3, %20, %d
    "calendar date": (LookAlike(before=r"\bin ", match="^[a-z]"),),  # In June 5 ships sank.
    "four-digit year": (
        LookAlike(after=rf"[ -]{_UNIT}"),
        LookAlike(match=r"^(?:of|from|by|around|before|after) ", after=rf"[ ](?!{_NO_NOUN}){_PLURAL}"),
        LookAlike(match=r"^(?:of|from|by|around|before|after) ", after=rf"[ ](?!{_NO_NOUN})(?-i:[a-z-]+) {_PLURAL}"),
    ),
    "clock time": (
        LookAlike(
            before=r"\b(?:ratio|scale|scores?|odds|aspect|proportions?|mix\w*|dilut\w*|won|lost|beat|leads?|verses?|chapter)"
            rf"(?: (?!{_TIME_PREPOSITION})\w+){{0,3}} ",
            match=r":\d\d$",
        ),
        LookAlike(before=rf"\b{_BOOK} ", match=r":\d\d$"),
        LookAlike(
            match=r":\d\d$",
            after=r"[ ](?:ratio|scale|odds|aspect|format|score|lead|win|victory|defeat|mix\w*|split|screen)\b",
        ),
    ),
    "ordinal number": (
        LookAlike(  # waited a second
            r"\b(?:an?|one|each|per|split|any|another|half a|every|this) ",
            "^second$",
            rf"{_STOP}|[ ](?!(?:and|or) (?:an? )?third){_CLAUSE_WORD}",
        ),
        LookAlike(  # I second that
            r"\b(?:i|we|they|to|would|you|'ll|gladly|heartily) ", "^second$", r"[ ](?:that|the|this|your|his|her)\b"
        ),
        LookAlike(
            r"\b(?:an?|the other|nearly a|about a) ", "^(?!first|second)", r"[ ]of (?!(?:its|his|her|their) kind)"
        ),
        LookAlike(r"\b(?:one|two|three|four|five|six|seven|eight|nine) ", "^(?!first|second)"),
        LookAlike(r"\bat ", "^first$", rf"{_STOP}|[ ](?:i|he|she|we|they|it|the|nobody|no)\b"),
    ),
    "sum of money": (
        LookAlike(rf"\b{_LOSE} {_ABOUT}", r"pounds?$"),
        LookAlike(match=r"pounds?$", after=r"[ ](?:of (?!debt|money|profit|income|tax)|heavier|lighter|overweight)"),
        LookAlike(
            r"\b(?:use|echo|prints?|awk|sed|variable|argument|parameter|column|field|group|placeholder) ", r"^\$\d$"
        ),
    ),
    "unit of measurement": (
        LookAlike(before=r"[$€£¥] ?"),
        LookAlike(
            match="m$",
            after=r"[ ](?:people|users|views|dollars|euros|pounds|subscribers|copies|followers|downloads|customers|"
            r"years|viewers|jobs|inhabitants|residents)\b",
        ),
        LookAlike(
            match="foot$", after=r"[ ](?:soldiers?|patrols?|notes?|paths?|bridges?|servants?|massages?|traffic)\b"
        ),
    ),
    "enumeration of three": (
        LookAlike(
            match=r"^(?:however|yes|no|well|oh|sadly|luckily|today|tomorrow|yesterday|then|so|thus|therefore|hence|"
            r"still|instead|meanwhile|finally|otherwise|moreover|nevertheless|indeed|perhaps|maybe|first|again),"
        ),
        LookAlike(match=r", (?:i|you|he|she|it|we|they),? (?:and|or) |(?:and|or) (?:i|you|he|she|it|we|they)$"),
    ),
    "purpose clause": (
        LookAlike(
            match=r"^so\s+that$",
            after=r"[ ](?:day|night|week|month|year|morning|evening|afternoon|summer|winter|time|one|is|was|means|"
            r"meant|makes|made|leaves|left|would be|seems|seemed)\b",
        ),
    ),
    "conjunctive adverb": (
        LookAlike(
            match="^however$",
            after=r"[ ](?:hard|much|many|long|far|small|large|big|great|little|few|often|well|badly|briefly|old|"
            r"young|good|bad|strong|weak|tired|fast|slow|poor|rich|high|low|late|early|loud|cold|hot|\w+ly|"
            r"you (?:like|look|want|do|slice|choose|please|put))\b",
        ),
        LookAlike(r"\w ", "^otherwise$"),
        LookAlike(match="^otherwise$", after=r"[ ](?:stated|noted|specified|known|said|empty|good|healthy|fine)\b"),
    ),
    "conclusion marker": (
        LookAlike(match="^thus$", after=r"[ ](?:far|spoke|spake)\b"),
        LookAlike(r"\b(?:day|week|month|year|hour|decade|generation|centur|minute)(?:s|y|ies)? ", "^hence$"),
    ),
    "as-if comparison": (
        LookAlike(r"\bsuch "),
        LookAlike(match="if$", after=r"[ ](?:statements?|clauses?|blocks?|conditions?|and|or)\b"),
    ),
    "exemplification": (
        LookAlike(match="^such", after=r"[ ](?:it|they) (?:is|was|were|are|be)\b"),
        LookAlike(
            match="^for",
            after=r"[ ](?:variables?|methods?|data|code|sentences?|files?|texts?|types?|names?|attributes?|queries)\b",
        ),
    ),
    "polite request": (
        LookAlike(after=rf"[ ]{_OBJECT}"),  # They please the crowd.
        LookAlike(r"\b(?:will|would|should|must|might|may|could|can|does|did) "),  # The show will please fans.
        LookAlike(
            r"\b(?:to|they|we|i|who|that|not|never|always|can't|couldn't|don't|doesn't|didn't) ",
            after=rf"{_STOP}|[ ](?:and|or|but|in|with|by)\b",
        ),
        LookAlike(
            r"\b(?:as|what|whatever|whenever|when|wherever|however|whoever|if|so|where|how) "
            r"(?:you|they|we|i|he|she|one|it) "
        ),
    ),
    "epistemic adverb": (
        LookAlike(r"\b(?:can(?:not|['’]t)|couldn['’]t|not) ", "^possibly$"),
        LookAlike(r"\b(?:an?|another|firm|definite|big|strong|clear) ", "^maybe$"),
    ),
    "interjection": (
        LookAlike(r"\b(?:an?|the|his|her|its|their|my|sudden|loud|big|great|quiet|deep) "),
        LookAlike(r"\balpha[, ]+", "^bravo"),
    ),
    "sesquipedalian word": (
        LookAlike(before=r"[/.@#_\\]"),
        LookAlike(after=r"(?-i:\.[a-z])|[/@_\\]"),
    ),
}
"""The look-alikes by the name of the rule."""
