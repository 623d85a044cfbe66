"""Does the answer answer? Refusals, loops, echoes and the traces of a revision."""

import re

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.filters.config import CritiqueResidue, Echo, FilterOptions, Refusal, Repetition
from skillmill.filters.text import (
    compression_ratio,
    covered_share,
    ngrams,
    repeated_share,
    sentences,
    words,
)
from skillmill.filters.verdict import Verdict, verdict
from skillmill.skill_taxonomy.cells import Cell

REFUSAL = re.compile(
    r"\b(?:i(?:['’]m| am) (?:very |really |so |truly )?(?:sorry|afraid)\b[^.!?\n]{0,50}\b(?:can(?:not|['’]t)|unable|not able|won['’]t)"
    r"|(?<!note that )i (?:can(?:not|['’]t)|won['’]t|am (?:unable|not able) to|['’]m (?:unable|not able) to) "
    r"(?:help|assist|provide|answer|write|create|give|fulfil|fulfill|do that|comply|complete|generate|discuss|offer)"
    r"|i(?:['’]m| am) (?:unable|not able|not allowed|not permitted) to\b"
    r"|as an? (?:ai|artificial intelligence|(?:large )?language model)\b[^.!?\n]{0,80}\b(?:can(?:not|['’]t)|unable|not able)"
    r"|i (?:must|have to) (?:respectfully )?(?:decline|refuse)"
    r"|(?:it is|it['’]s|that is) against my (?:policy|guidelines|programming))",
    re.IGNORECASE,
)
EVEN_SO = re.compile(r"^[^.!?\n]{0,80}[,.;]? ?(?:but|however,?|still,?) (?:here|i(?: can| will|['’]ll| am happy))", re.IGNORECASE)
"""After "I cannot …": the answer comes all the same."""

RESIDUE = re.compile(
    r"\b(?:refined|revised|improved|rewritten|updated|reworked|polished|enhanced|shortened) (?:and \w+ |, \w+ )?"
    r"(?:response|answer|version|draft|reply|instruction|text)\b"
    r"|\b(?:complete|full) and concise\b"
    r"|\b(?:based on|incorporat\w+|address\w*|thank(?:s| you) for|given) (?:\w+ )?(?:your|the|this|that) (?:\w+ )?(?:feedback|critique|criticism)\b"
    r"|\blength constraint\b"
    r"|\bstrengths and weaknesses of (?:the|my|this|your) (?:\w+ )?(?:response|answer|draft|text)\b"
    r"|\b(?:the|my|this|your) (?:previous|first|earlier|original|initial|last) (?:response|answer|draft|version|attempt)\b"
    r"|\b(?:the|this|my|your) (?:response|draft)(?: above)? (?:is|was|could|should|lacks|does|shows|provides|uses|has)\b",
    re.IGNORECASE,
)
EDITING = re.compile(
    r"\b(?:re-?writ\w*|re-?word\w*|re-?phras\w*|revis\w*|edit\w*|correct\w*|improv\w*|proofread\w*|grammar\w*|polish\w*|shorten\w*|"
    r"feedback|critique|draft\w*|version\w*|update\w*|weaknesses)\b",
    re.IGNORECASE,
)
"""An instruction that asks for a revision may be answered with "here is a revised version"."""
MARKER = re.compile(
    r"^[ \t#*_>]{0,12}(?:instruction|response|strengths?|weakness(?:es)?|critique)[ \t*_]{0,4}:", re.IGNORECASE | re.MULTILINE
)

PLACEHOLDER = re.compile(r"\[insert\b[^\]\n]{0,60}\](?!\()|<insert\b[^>\n]{0,60}>|\blorem ipsum\b", re.IGNORECASE)
BLANK = re.compile(r"\[(?:your|enter|add|name|describe|fill|specify|topic|skill)\b[^\]\n]{0,60}\](?!\()", re.IGNORECASE)
"""Blanks that a template or a letter may rightly have, but no question does."""

REQUEST = re.compile(
    r"[?？]|\bplease\b|\b(?:help|tell|show|give|teach|advise|remind|send) (?:me|us)\b"
    r"|\b(?:i|we)(?:['’]d| would)? (?:want|need|like|love|wish|seek|request)\b|\b(?:i|we)(?:['’]m| am|['’]re| are) (?:looking for|trying|asking|wondering|curious|interested|working)\b"
    r"|\b(?:can|could|would|will|should) (?:you|i|we)\b"
    r"|\b(?:let['’]?s|your (?:task|job|goal)|task:|answer (?:the|this)|the following)\b"
    r"|(?:^|[.!:;\n]\s*|,\s*|\b(?:and|then|now|also|if so|so) )[\"'“(*-]*(?:(?:briefly|carefully|now|first|next|then|just) )?"
    r"(?:act|add|adapt|analy[sz]e|answer|arrange|ask|assess|assume|brainstorm|break|build|calculate|change|check|choose|classify|come up|compare|"
    r"complete|compose|compute|consider|construct|continue|convert|correct|count|create|critique|debate|decide|define|delete|demonstrate|"
    r"derive|describe|design|detect|determine|develop|devise|discuss|divide|do|draft|draw|edit|elaborate|evaluate|examine|expand|explain|explore|extract|"
    r"figure|fill|find|finish|fix|format|formulate|generate|get|give|go|group|guess|guide|help|highlight|identify|imagine|implement|improve|include|"
    r"infer|interpret|introduce|invent|keep|list|look|make|map|match|mention|modify|name|offer|order|organi[sz]e|outline|paraphrase|perform|pick|plan|"
    r"play|predict|prepare|present|pretend|propose|prove|provide|put|rank|rate|read|recommend|remove|rephrase|replace|reply|report|research|respond|"
    r"rewrite|reverse|review|revise|roleplay|say|schedule|search|select|share|shorten|show|simplify|simulate|sketch|solve|sort|specify|split|state|study|"
    r"suggest|summari[sz]e|sum up|take|talk|teach|tell|test|think|transform|translate|try|turn|use|verify|visuali[sz]e|walk|weigh|work|write)\b"
    r"|\b(?:you|it) (?:will |then )?(?:need|should|must|have to|are given|are provided)\b|\b(?:should|must|needs? to|has to) be\b"
    r"|\b(?:appreciate|helpful|grateful)\b"
    r"|^(?:how|what|why|when|where|who|whom|whose|which|is|are|do|does|did|can|could|should|would|will)\b",
    re.IGNORECASE,
)
"""What asks or tells: a question mark, a plea, a wish, or a sentence that opens with an imperative."""
STATEMENT = re.compile(
    r"^[\"'“(*]*(?:i|we|my|our|he|she|they|you|your|his|her|their|it|there|this|that|these|those|the|an?|one|some|every|in|on|at|once)\b",
    re.IGNORECASE,
)
"""How a statement opens; keywords, as people type them, are no statement, and other languages are let be."""

CODE_OR_TABLE = re.compile(r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1|\Z)|^[ \t]*\|[^\n]*$", re.MULTILINE | re.DOTALL)


def refusal(sample: Sample, cell: Cell, options: Refusal) -> Verdict:
    """An answer that opens by declining. A later "I cannot" may belong to a character or a caveat."""
    opening = sample.response[: options.within_characters]
    found = REFUSAL.search(opening)
    declines = found is not None and not EVEN_SO.match(sample.response[found.end() : found.end() + 200])
    return verdict(Reason.REFUSAL, declines)


def repetition(sample: Sample, cell: Cell, options: Repetition) -> Verdict:
    """A loop: the same runs of words, sentences or openings, or text that zips too well. Code and tables repeat by nature."""
    prose = CODE_OR_TABLE.sub("\n", sample.response)
    tokens = words(prose)
    said = [" ".join(words(sentence)) for sentence in sentences(prose)]
    said = [sentence for sentence in said if sentence.count(" ") >= 2]
    openings = [tuple(sentence.split()[:3]) for sentence in said]
    grams = repeated_share(ngrams(tokens, 4))
    repeated = repeated_share(said)
    opened = repeated_share(openings) if len(openings) >= 4 else 0.0
    ratio = compression_ratio(" ".join(prose.split()))
    rejected = repeated > options.max_repeated_sentences
    if len(tokens) >= options.min_words:
        rejected = (
            rejected
            or grams > options.max_repeated_4grams
            or opened > options.max_repeated_openings
            or ratio > options.max_compression
        )
    return verdict(
        Reason.REPETITION,
        rejected,
        repeated_4grams=grams,
        repeated_sentences=repeated,
        repeated_openings=opened,
        compression=ratio,
    )


def echo(sample: Sample, cell: Cell, options: Echo) -> Verdict:
    """The answer gives the instruction back, or leaves a form's blanks ("[insert name]") for the reader to fill."""
    overlap = covered_share(words(sample.response), words(sample.instruction), 8)
    blanks = len(PLACEHOLDER.findall(sample.response))
    blanks += len(PLACEHOLDER.findall(sample.instruction)) + len(BLANK.findall(sample.instruction))
    rejected = overlap > options.max_answer_from_instruction or blanks > options.max_placeholders
    return verdict(Reason.ECHO, rejected, instruction_overlap=overlap, placeholders=blanks)


def critique_residue(sample: Sample, cell: Cell, options: CritiqueResidue) -> Verdict:
    """The answer opens with talk about its own revision, or keeps the markers of a form (papers.md 3.6)."""
    opening = sample.response[: options.within_characters]
    asked_for = EDITING.search(sample.instruction) is not None
    found = MARKER.search(opening) or (None if asked_for else RESIDUE.search(opening))
    return verdict(Reason.CRITIQUE_RESIDUE, found is not None)


def no_request(sample: Sample, cell: Cell, options: FilterOptions) -> Verdict:
    """An instruction that states something and leaves it at that."""
    instruction = sample.instruction.strip()
    states = STATEMENT.match(instruction) is not None and REQUEST.search(instruction) is None
    return verdict(Reason.NO_REQUEST, states)
