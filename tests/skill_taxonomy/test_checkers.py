"""The rules of `builtin:checkable`: built texts satisfy them, near misses do not."""

import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.skill_taxonomy.checkers import CHECKERS, check, shown
from skillmill.skill_taxonomy.curation.check import find_faults
from skillmill.skill_taxonomy.formats import parse_taxonomy
from skillmill.skill_taxonomy.rules import sentences, words
from skillmill.skill_taxonomy.sources import builtin
from skillmill.skill_taxonomy.taxonomy import Skill

CHECKABLE = builtin("checkable")
WHOLE = {"lipogram in M", "E-Prime", "word count in tens", "ring composition"}
LOCAL = [skill for skill in CHECKABLE.skills if skill.name not in WHOLE]

NEAR_MISSES = {
    "interrogative sentence": ["Who knows.", "Why? Why?", "She asked? Nobody knew.", ""],
    "exclamation": ["Stop.", "a != b", "!"],
    "direct speech": ['He said "no".', '"He said no.', '"one\ntwo"', "'Bring the lantern'"],
    "parenthesis": ["The baker (asleep) stayed.", "(a cousin\nof his)", "a cousin of his)"],
    "semicolon": ["The road bends;\nthe river", "The road bends ; it", "a;b", "road bends;"],
    "colon before a list": ["He had one thing: a rope.", "at 6:30, then 7:30", "three things:\nrope, saw"],
    "paired dashes": [
        "The ferry – twice sold.",
        "from 1914–18 and 1939–45",
        "The ferry - twice sold - floats",
        "a – b – c",
    ],
    "ellipsis": ["She opened it.", "She opened it ...", "and.."],
    "hyphenated compound": ["A well - known forger", "1914-18", "known -", "a–b"],
    "percentage": ["forty percent", "40 boats", "x40%", "% of 40"],
    "calendar date": ["32 April", "3 april", "in April 1912", "the third of May", "I may 3"],
    "four-digit year": ["1912", "in 912", "in 2100", "in 19120", "in 1912.5 boats", "in 1912%"],
    "clock time": ["at nine", "25:00", "9:75", "1:2", "9 amber"],
    "ordinal number": ["seven", "a secondhand coat", "7th", "second-hand"],
    "sum of money": ["twelve dollars", "12 boats", "$ money", "12 dollarfish"],
    "unit of measurement": ["thirty feet", "30 boats", "30 meeting", "m 30"],
    "if-then conditional": ["If it rains we stay.", "Then if it rains", "If it rains. Then we stay.", "If then."],
    "enumeration of three": [
        "thread and wax",
        "thread, wax, needles",
        "She came, she saw and sewed",
        "thread,wax and pins",
    ],
    "concessive clause": ["Though it snowed", "even so", "however"],
    "causal clause": ["because of the rain", "since it rained", "because"],
    "purpose clause": ["in order", "so that's it", "to win"],
    "conjunctive adverb": ["how ever", "but", "therefore"],
    "conclusion marker": ["so", "enthusiasm", "however"],
    "comparative with than": ["rather than", "other than salt", "more salt", "then faster", "than more"],
    "neither-nor correlative": ["nor neither", "Neither came. Nor did she.", "either this or that", "Neither nor."],
    "not-only correlative": ["not but only", "Not only bread. But honey.", "only not bread but honey"],
    "explicit simile": [
        "as soon as possible",
        "as well as bread",
        "I like a story",
        "They would like an egg",
        "as flat as",
        "like a",
        "as flat",
    ],
    "as-if comparison": ["as", "if as", "as iffy", "as long as"],
    "exemplification": ["for an example", "such", "like crows", "for instances"],
    "polite request": ["It pleased her.", "displease", "kindly"],
    "second-person address": ["young", "thou", "The youth", "youth's"],
    "epistemic adverb": ["it may be", "improbably", "certainly"],
    "interjection": ["oh well", "oh.", "also, alas", "wowed!"],
    "contraction": ["do not", "the dog's bowl", "its", "t'll-o", "cant"],
    "epizeuxis": ["never, never", "no no on no", ""],
    "anaphora": ["The cat sat, the dog ran.", "We sewed by day and we sang.", "No, no, no", "I saw, I"],
    "epistrophe": ["bread, bread", "He asked for bread and she had bread.", "for bread, for breads"],
    "anadiplosis": ["rain, rain", "They longed for rain and rain fell.", "for rain, the rain fell"],
    "polysyndeton": ["They ate and drank and sang.", "They ate and drank. And sang and slept.", "sandy and andy"],
    "alliteration": ["Seven silent otters", "sail, sail, sail", "1 10 100", "seven sad"],
    "acrostic phrase": ["star", "s t a", "She took really all", "S.T. AR"],
    "abecedarian sequence": ["Nora opened quickly", "z a b", "opened Nora pie", "7 8 9"],
    "rhopalic sequence": ["a be sea", "home back ran he", "I am not able-ish", "one two six ten"],
    "palindrome": ["aa", "moon", "a", "121"],
    "sesquipedalian word": ["elevenbells", "well-travelled", "123456789012"],
    "lipogram in M": [
        "The cat slept near the stove from noon to five.",
        "No such letter here",
        "",
        "M a b c d e f g h",
    ],
    "E-Prime": ["The old tailor was a kind person at night.", "It’s late and the old tailor sews at night.", "He sews"],
    "word count in tens": ["One two three four five six seven eight nine.", "", "Nine"],
    "ring composition": ["Rain is rain", "Rain fell on the whole port today", "", "Rain fell on all rains"],
    "long sentence": ["word " * 24, "word. " * 25, "word\n" * 30],
}

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure
lower = st.text(string.ascii_lowercase, min_size=1, max_size=9)
several = st.lists(lower, min_size=2, max_size=6).map(" ".join)
odd = st.text("xyz", min_size=2, max_size=5)  # none of the words that make a look-alike, as in "as soon as"
odds = st.lists(odd, min_size=2, max_size=6).map(" ".join)
months = st.sampled_from(
    "January February March April May June July August September October November December".split()
)
letter = st.sampled_from(string.ascii_lowercase)


def filled(template: str, **parts: st.SearchStrategy[object]) -> st.SearchStrategy[str]:
    return st.builds(template.format, **parts)


def grown(size: int) -> st.SearchStrategy[str]:
    return st.tuples(*(st.text(string.ascii_letters, min_size=n, max_size=n) for n in range(size, size + 4))).map(
        " ".join
    )


BUILT: dict[str, st.SearchStrategy[str]] = {
    "interrogative sentence": filled("{a} {b}?", a=lower, b=several),
    "exclamation": filled("{a}!", a=several),
    "direct speech": st.one_of(filled('"{a}," he said', a=several), filled("“{a}”", a=several)),
    "parenthesis": filled("{a} ({b})", a=lower, b=several),
    "semicolon": filled("{a}; {b}", a=several, b=several),
    "colon before a list": filled("{a}: {b}, {c}", a=odd, b=odds, c=odds),
    "paired dashes": filled("{a} {d} {b} {d} {c}", a=lower, b=several, c=lower, d=st.sampled_from(["–", "—", "--"])),
    "ellipsis": filled("{a}{d}", a=several, d=st.sampled_from(["…", "..."])),
    "hyphenated compound": filled("{a}-{b}", a=several.map(lambda a: a.replace(" ", "x")), b=odd),
    "percentage": filled("{n}{s}", n=st.integers(0), s=st.sampled_from(["%", " %", " percent"])),
    "calendar date": st.one_of(
        filled("{n} {m}", n=st.integers(1, 31), m=months), filled("{m} {n}", n=st.integers(1, 31), m=months)
    ),
    "four-digit year": filled("{p} {n}", p=st.sampled_from(["in", "since", "until"]), n=st.integers(1000, 2099)),
    "clock time": st.one_of(
        filled("{h}:{m:02}", h=st.integers(0, 23), m=st.integers(0, 59)), filled("{h} p.m.", h=st.integers(1, 12))
    ),
    "sum of money": st.one_of(filled("€{n}", n=st.integers(0)), filled("{n} pounds", n=st.integers(0))),
    "unit of measurement": filled("{n} {u}", n=st.integers(0), u=st.sampled_from(["kg", "metres", "miles", "l"])),
    "if-then conditional": filled("if {a}, then {b}", a=odds, b=several),
    "enumeration of three": filled("{a}, {b} and the {c}", a=odd, b=odd, c=odd),
    "comparative with than": filled("{a}er than {b}", a=odd, b=lower),
    "explicit simile": st.one_of(filled("like a {a}", a=lower), filled("as {a} as {b}", a=odd, b=lower)),
    "neither-nor correlative": filled("neither {a} nor {b}", a=lower, b=several),
    "not-only correlative": filled("not only {a} but {b}", a=odd, b=several),
    "epizeuxis": lower.map(lambda word: f"{word}, {word}, {word}"),
    "anaphora": filled("we {a}, we {b}", a=lower, b=several),
    "epistrophe": filled("{a} bread; {b} bread", a=lower, b=several),
    "anadiplosis": filled("{a} {w}, {w} {b}", a=lower, b=several, w=lower),
    "polysyndeton": filled("{a} and {b} and {c} and {d}", a=lower, b=lower, c=lower, d=lower),
    "alliteration": filled("{x}a {x}e{a} {x}i{b}", x=letter, a=lower, b=lower),
    "acrostic phrase": filled("s{a} t{b} a{c} r{d}", a=lower, b=lower, c=lower, d=lower),
    "rhopalic sequence": st.integers(1, 6).flatmap(grown),
    "palindrome": st.text(string.ascii_letters, min_size=2, max_size=5)
    .filter(lambda half: len(set(half.lower())) > 1 and not half.isupper())
    .map(lambda half: half + half[::-1]),
    "sesquipedalian word": st.text(string.ascii_letters, min_size=12, max_size=40),
    "long sentence": st.lists(lower, min_size=25, max_size=40).map(" ".join),
    "lipogram in M": st.lists(lower.map(lambda w: w.replace("m", "n")), min_size=8).map(" ".join),
    "word count in tens": st.lists(st.tuples(*[lower] * 10).map(" ".join), min_size=1, max_size=4).map(" ".join),
    "ring composition": filled("{w} {a} {b} {w}", w=lower, a=several, b=several),
}

anything = st.text(st.characters(), max_size=60)
pieces = [piece for skill in CHECKABLE.skills for piece in skill.example.split()]
jumble = st.lists(st.one_of(st.sampled_from([*pieces, "\n", "...", '"', "(", ")", "–"]), anything), max_size=40).map(
    " ".join
)
rules = st.sampled_from(sorted(CHECKERS))
local_skills = st.sampled_from(LOCAL)


def test_the_list_and_the_rules_belong_together() -> None:
    assert len(CHECKABLE.skills) >= 30
    assert len(CHECKABLE.topics) >= 30
    assert len(CHECKABLE.query_types) >= 5
    assert [skill.checker for skill in CHECKABLE.skills] == list(CHECKERS)
    assert all(skill.definition and skill.name == skill.checker for skill in CHECKABLE.skills)
    assert find_faults(CHECKABLE) == []


@pytest.mark.parametrize("skill", CHECKABLE.skills, ids=lambda skill: skill.name)
def test_an_example_passes_its_rule_and_near_misses_do_not(skill: Skill) -> None:
    evidence = check(skill.name, skill.example)
    assert evidence
    assert evidence in skill.example
    assert [text for text in NEAR_MISSES[skill.name] if check(skill.name, text) is not None] == []


@pytest.mark.parametrize("name", BUILT)
@settings(patient, max_examples=40)
@given(data=st.data())
def test_what_is_built_to_satisfy_a_rule_passes(name: str, data: st.DataObject) -> None:
    assert check(name, data.draw(BUILT[name]))


@patient
@given(st.lists(local_skills, min_size=1, max_size=4, unique_by=lambda skill: skill.name), st.data())
def test_a_local_skill_is_found_in_any_surroundings(skills: list[Skill], data: st.DataObject) -> None:
    lines = [line for skill in skills for line in (data.draw(jumble), skill.example)]
    assert set(shown("\n".join([*lines, data.draw(jumble)]), skills)) == {skill.name for skill in skills}


@patient
@given(rules, jumble)
def test_evidence_stands_in_the_text_and_shows_the_skill_by_itself(name: str, text: str) -> None:
    evidence = check(name, text)
    if evidence is not None:
        assert evidence.strip()
        assert evidence in text
        assert check(name, evidence) is not None


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("interrogative sentence", "?"),
        ("exclamation", "!"),
        ("direct speech", '"“”'),
        ("parenthesis", "()"),
        ("semicolon", ";"),
        ("colon before a list", ":"),
        ("paired dashes", "–—-"),
        ("ellipsis", "….:"),
        ("hyphenated compound", "-"),
        ("enumeration of three", ","),
        ("contraction", "'’"),
        ("percentage", string.digits),
        ("calendar date", string.digits),
        ("four-digit year", string.digits),
        ("sum of money", string.digits),
        ("unit of measurement", string.digits),
        ("if-then conditional", "fF"),
        ("comparative with than", "tT"),
        ("acrostic phrase", "aA"),
    ],
)
def test_a_text_without_what_a_rule_needs_fails(name: str, needs: str) -> None:
    @patient
    @given(jumble)
    def fails(text: str) -> None:
        # Digits of other scripts are digits to a rule too.
        bare = "".join(c for c in text if c not in needs and not (needs == string.digits and c.isdecimal()))
        assert check(name, bare) is None

    fails()


@patient
@given(jumble)
def test_whole_text_rules_agree_with_their_definitions(text: str) -> None:
    tokens = words(text)
    assert (check("word count in tens", text) is not None) == (len(tokens) in range(10, 10_000, 10))
    assert (check("ring composition", text) is not None) == (len(tokens) >= 5 and tokens[0] == tokens[-1])
    assert (check("lipogram in M", text) is not None) == (len(tokens) >= 8 and not any("m" in word for word in tokens))
    assert (check("long sentence", text) is not None) == any(len(words(s)) >= 25 for s in sentences(text))


HOSTILE: dict[str, str] = {
    "no end of a word": "a" * 100_000,
    "opening marks": '("“' * 33_000,
    "ifs": "if not only neither " * 5_000,
    "digits": "1" * 100_000,
    "grouped digits": "1," * 50_000,
    "dots": "." * 99_999 + "a",
    "commas": "a, a " * 20_000,
    "apostrophes": "a'" * 50_000,
    "hyphens": "a-" * 50_000,
    "dashes": "—a " * 33_000,
    "spaces": "in order" + " " * 100_000,
    "lines": "\n" * 100_000,
    "lone surrogates": "\ud800" * 100_000,
    "NUL": "\0" * 100_000,
    "colons": "a: b" * 25_000,
    "like": "as like a " * 10_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_text_hangs_a_rule(text: str) -> None:
    """A rule with quadratic time would run into the timeout of every test, on any machine."""
    for name in CHECKERS:
        evidence = check(name, text)
        assert evidence is None or evidence.strip() == evidence


def test_no_two_skills_contradict() -> None:
    """One text shows all of them: every example, framed by one word and padded to a multiple of ten."""
    text = " ".join(["Well,", *(skill.example for skill in CHECKABLE.skills)])
    padding = -(len(words(text)) + 1) % 10
    text = " ".join([text, *["on"] * padding, "well."])
    assert set(shown(text, CHECKABLE.skills)) == {skill.name for skill in CHECKABLE.skills}


def test_no_local_skill_implies_another() -> None:
    implied = {
        (one.name, other.name)
        for one in LOCAL
        for other in LOCAL
        if one is not other and other.name in shown(one.example, LOCAL)
    }
    # Each pair here is the example's doing, as another text that shows the one without the other proves.
    apart: dict[tuple[str, str], str] = {
        ("colon before a list", "enumeration of three"): "Take these: salt, thread.",
        ("if-then conditional", "rhopalic sequence"): "If snow falls, then stay.",
        ("causal clause", "alliteration"): "It sank because water came in.",
        ("conjunctive adverb", "semicolon"): "However, nobody came.",
    }
    assert implied <= set(apart)
    for (one, other), text in apart.items():
        assert (check(one, text) is not None, check(other, text)) == (True, None)


def test_shown_counts_skills_with_a_rule_and_passes_over_the_rest() -> None:
    skills = [Skill(name="asks", checker="interrogative sentence"), Skill(name="irony"), *CHECKABLE.skills[1:3]]
    assert shown("Who would not say “come in” to rain?", skills) == {
        "asks": "Who would not say “come in” to rain?",
        "direct speech": "“come in”",
    }


def test_an_unknown_rule_is_named() -> None:
    with pytest.raises(SkillmillError, match="there is no checker 'simle', expected one of E-Prime"):
        check("simle", "a")
    with pytest.raises(ConfigError, match=r"mine.yaml: skills\[0\].checker: there is no checker 'simle'"):
        parse_taxonomy({"skills": [{"name": "a", "checker": "simle"}]}, "mine.yaml")


def test_a_sentence_ends_where_the_module_says() -> None:
    text = 'He paid 3.5 crowns. "Why?" she asked… Nothing\nmore!'
    assert list(sentences(text)) == ["He paid 3.5 crowns.", '"Why?"', "she asked…", "Nothing", "more!"]
