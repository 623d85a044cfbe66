"""The phrases of refusals, and of instructions and answers in which such phrases belong to a requested text.

All patterns expect straight quotation marks and apostrophes.
"""

import re

from skillmill.data.text.lazy_patterns import lazy_pattern


def _pattern(*alternatives: str) -> re.Pattern[str]:
    return lazy_pattern("|".join(alternatives), re.IGNORECASE)


APOLOGY = _pattern(r"(?:i'm|i am) (?:(?:very|really|so|truly) )?(?:sorry|afraid)")
OWN_SUBJECT = _pattern(r"\b(?:i|we|i'm|we're)\b|^[,;.]? ?(?:but |and )?,? ?(?:can|unable|not able|won|no\b)")
"""The assistant as the subject of what is said after an apology."""
NO_REFUSAL = _pattern(
    r" (?:help )?(?:but\b|(?:wonder|notic|feel|think|laugh|smil|fall|lov|admir|be|ask|see|cry|look|imagin)ing\b)",
    r" (?:wait|imagine|stress|believe|remember|promise)\b",
    r" (?:[\w']+ ){0,9}enough(?= (?:how|that|for|to|the|praise|thanks)\b|[.,;:!]|$)",
)
"""The words after "I cannot" that turn it into praise, surprise or a caveat."""

_SUBJECT = r"\b(?:i|we)(?: (?:really|just|simply|currently|unfortunately|also|still))?"
_CANNOT = (
    r"(?: can ?not| can't| cant| won't| will not| should not| shouldn't"
    r"|(?:'m| am|'re| are) (?:unable|not able|unwilling|not (?:allowed|permitted|authori[sz]ed|willing|going"
    r"|prepared)) to)"
    r"(?: (?:really|just|simply|currently|ethically|in good conscience|be able to))?"
)
_ACT = (
    r"(?:help|assist|provide|answer|write|create|give|fulfil+|comply|complete|generate|discuss|offer|respond|engage"
    r"|produce|draft|compose|continue|participate|role-?play|process|accommodate|proceed|do (?:that|this|it|so)\b)"
)
_SOMETHING = (
    r"(?:something|anything|an? (?:topic|request|question|subject|task|thing|matter|area)|one)(?: that| which)?"
)
_LIMITS = (
    r"my (?:\w+ ){0,2}(?:abilit|capabilit|scope|expertise|knowledge|remit|power|competence|limit|purview|programming)"
)
_LINK = r"(?: for [^.,!?\n]{1,40}| about [^.,!?\n]{1,40})?[,.!:]?(?: but| that| however| to say)*,? ?"
_MACHINES = r"(?:ai|artificial intelligence|(?:large )?language model|chatbot|virtual assistant)\b"
_AS_MACHINE = rf"\b(?:as|i'm(?: just| only)?|i am(?: just| only)?|being) an? (?:\w+ )?{_MACHINES}"

IDENTITY = _pattern(
    rf"(?<!since )(?<!because ){_AS_MACHINE}[^.!?\n]{{0,80}}(?: can ?not\b| can't\b| unable\b| not able\b| won't\b"
    rf"| not (?:allowed|permitted)\b)",
    r"\b(?:goes? against|(?:is|'s) against|violat\w+|breach\w*|conflicts? with|not (?:permitted|allowed) (?:by|under)) "
    r"(?:my (?:\w+ ){0,2}|(?:(?:the|our|openai's) )?(?:content|usage|use|safety|ethical) )"
    r"(?:polic|guideline|programming|principle|standard|rule)",
    r"\bmy (?:\w+ ){0,2}(?:guidelines|polic(?:y|ies)|rules|programming|principles) (?:do not|don't|does not|doesn't"
    r"|prevent"
    r"|prohibit|forbid)",
    r"\bi (?:have been|was|am|'ve been) (?:instructed|told|programmed|designed|trained) not to\b",
    rf"\b(?:beyond|outside)(?: of)? (?:the (?:scope|limits?) of )?{_LIMITS}",
    rf"(?:not|n't) (?:within|in|part of) {_LIMITS}",
)
"""The assistant declines because of what it is or what rules it has."""

STRONG = _pattern(
    IDENTITY.pattern,
    rf"{_SUBJECT}{_CANNOT} {_ACT}",
    rf"\b(?:sorry|apologi[sz]e|apologies|unfortunately|regrettably|i regret)\b{_LINK}{_SUBJECT}{_CANNOT}\b",
    rf"\b(?:sorry|apologi[sz]e|apologies|unfortunately|regrettably)\b{_LINK}(?: am| i'm)? ?\b(?:can ?not|can't"
    rf"|unable to) {_ACT}",
    rf"\b{_SOMETHING} i(?:{_CANNOT}|'d rather| would rather|'d prefer| would prefer| don't| do not| am not|'m not)\b",
    rf"(?:not|n't) {_SOMETHING} (?:i(?:'m| am|'d| would)? )?(?:can|able|willing|allowed|comfortable|will|do|be)\b",
    r"\b(?:beyond|outside)(?: of)? what i\b",
    rf"\bi (?:really )?(?:do not|don't) (?:wish to|want to|think i (?:can|should)) {_ACT}",
    rf"{_SUBJECT}{_CANNOT} be (?:able to {_ACT}|(?:help|assist|provid|answer|writ|do|respond|discuss|generat"
    rf"|creat)ing)\b",
    r"\bi (?:do not|don't|would not|wouldn't|am not|'m not)(?: really)? (?:feel |be )?comfortable (?:with )?(?:that"
    r"|this|\w+ing)\b",
    r"\bi'm not (?:really )?comfortable (?:with )?(?:that|this|\w+ing)\b",
    rf"\bi(?:'d| would)(?: really)? (?:rather not|prefer not to) (?:say|{_ACT[3:]}",
    rf"\bi(?:'ll| will|'m going to| am going to)?(?: have to| must| need to)? (?:respectfully |politely )?(?:decline"
    rf"|refuse) (?:to {_ACT}|(?:your|this|that|the) request\b|to)",
    r"\b(?:this|that|your|the) (?:request|question|prompt)[^.!?\n]{0,20} (?:can ?not|can't) be (?:fulfilled"
    r"|completed|answered|processed|met)\b",
    rf"\b(?:not|n't|im|in|un)(?: ?)(?:possible|appropriate|ethical|right) for me to (?:\w+ )?{_ACT}",
)
"""Statements that decline, whatever follows them."""

LACK = _pattern(
    rf"{_AS_MACHINE}[^.!?\n]{{0,60}}(?: do not\b| don't\b| am not\b| lack\b| must\b| have no\b|'m not\b)",
    rf"\bi(?:'m| am) (?:just|only) an? {_MACHINES}",
    r"\bi (?:lack|do not have|don't have) the (?:ability|capability|knowledge|expertise|means|permission)\b",
)
"""The assistant lacks what it would need. It declines if little else is said and the question is not about it."""
ABOUT_YOU = _pattern(r"\b(?:do|have|did|are|were|don't|haven't|didn't|aren't) you\b|\byour(?:self)?\b|\babout you\b")
"""A question about the assistant."""

WEAK = _pattern(
    r"\b(?:not|n't|im) ?possible for me[.!]",
    r"^(?:nope?,? )?not doing\b",
    r"\bnothing (?:that )?i can do\b",
    r"^please (?:do not|don't) ask\b",
    r"\bi(?:'m| am) (?:really |just )?(?:unable|not able) to\b",
    rf"{_SUBJECT}{_CANNOT}[.!]",
    r"\bi(?:'d| would)(?: really)? (?:rather not|prefer not to)\b",
    r"\bi (?:do not|don't|would not|wouldn't) (?:really )?feel comfortable\b",
    r"\bi(?:'m| am) not (?:qualified|programmed|designed|trained|built|equipped|the right)\b",
    r"\bi (?:must|will|'ll|have to) (?:respectfully |politely )?(?:decline|refuse|pass|abstain|leave this to)\b",
    r"\bi (?:decline|refuse)\b",
    r"^(?:(?:i'm|i am) )?(?:(?:very|so|really) )?(?:sorry|apologies|i apologi[sz]e)[,.]?(?: but)?,? no\b[.!]?",
    r"^(?:no|nope)[.!,]? (?:thank you|thanks|sorry|way|comment)[.!]?$",
    rf"^(?:unable|cannot|can't|can not|not able)(?: to)? {_ACT}",
    r"^(?:your |this )?request (?:has been |was |is )?(?:denied|declined|refused|rejected)\b",
    r"\b(?:talk about|discuss) (?:something else|another|a different)\b",
    r"\b(?:choose|pick|ask|try) (?:for |me |about )*(?:another|a different) (?:topic|subject|question|request)\b",
)
"""Statements that decline if little else is said."""

_THIS = r"(?:this|that|such|the|your|a|an|any|these)"
_TEXT = (
    r"(?:letters?|e-?mails?|mails?|repl(?:y|ies)|responses?|messages?|texts?|notes?|stor(?:y|ies)|tales?|scenes?"
    r"|dialog(?:ue)?s?"
    r"|monologues?|scripts?|sketch(?:es)?|poems?|songs?|lyrics|speech(?:es)?|toasts?|conversations?|transcripts?"
    r"|templates?"
    r"|novels?|chapters?|diary|journal|posts?|tweets?|statements?|announcements?|press release|characters?|plays?"
    r"|voicemails?"
    r"|cards?|limericks?|haikus?|sonnets?|fables?|parables?|fiction|vignettes?|excuses?|refusals?|apolog(?:y|ies)"
    r"|exchanges?|chats?|quotes?|narratives?|memos?|openings?|paragraphs?|wording|lines?|one-?liners?|macros?"
    r"|auto-?reply|reviews?)"
)

DIRECT = _pattern(
    rf"{_SUBJECT}{_CANNOT} (?:help|assist|comply|engage|respond|answer|continue|proceed|do|fulfil+|write|create"
    rf"|provide|generate)"
    r"(?: (?:you|with|to|in|about))*(?: (?:this|that|it|your request|the request)\b|[.!,;]|$)",
    r"^(?:(?:i'm|i am) )?(?:(?:very|so|really) )?(?:sorry|apologies|i apologi[sz]e)[,.]?(?: but)?,? (?:no\b"
    r"|i(?: can't| cannot)[.!])",
    r"\bi (?:do not|don't) feel comfortable (?:with )?(?:that|this|writing|creating|helping|answering|providing)\b",
    r"\bi(?:'m| am) not comfortable (?:with )?(?:that|this|writing|creating|helping|answering|providing)\b",
    r"\b(?:beyond|outside)(?: of)? what i\b",
    rf"(?:not|n't) {_SOMETHING} i(?:'m| am|'d| would)? (?:can|able|willing|allowed|comfortable|will)\b",
    rf"\b{_SOMETHING} i{_CANNOT} (?:help|assist|do|write|answer)",
    r"\bi(?:'d| would) (?:rather not|prefer not to) (?:answer|write|help|do (?:that|this)|discuss|create)\b",
)
"""Statements in a short answer to a request for a text; a text of this length could not contain them by chance."""

ABOUT_WRITING = _pattern(
    rf"{_SUBJECT}{_CANNOT} (?:write|create|draft|compose|generate|produce|complete|continue|provide|role-?play"
    rf"|translate|rewrite"
    r"|fulfil+|comply|engage|help|assist|accommodate|process|do|answer)\b(?: (?:you|with|in|to|on|writing|creating))*"
    rf" {_THIS}(?: [\w-]+){{0,4}}? (?:requests?|content|material|prompts?|instructions?|tasks?|pieces?|articles?"
    rf"|essays?|jokes?|lists?|{_TEXT[3:]}\b",
    rf"{_SUBJECT}{_CANNOT} (?:write|create|draft|compose|generate|produce|role-?play) (?:this|that|it|such|content"
    rf"|material)\b",
)
"""Statements about writing the requested text. No character makes them."""

OFFERS_OTHER = _pattern(
    r"[^.!?\n]{0,120}\b(?:something else|anything else|(?:another|other|a different) (?:topic|subject|question"
    r"|request|thing|matter)s?)"
)
"""An offer of help with something else."""

REQUESTS_TEXT = _pattern(
    r"\b(?:writ(?:e|ing)|draft|compose|script|create|pen|give (?:me|us)|make|continue|finish|complete|need|want|invent"
    r"|word|phrase|show (?:me|us)|help (?:me|us)|generate|produce|come up with|imagine|provide|prepare|tell)\b"
    rf"[^.!?\n]{{0,80}}\b{_TEXT}\b",
    r"^\W*(?:continue|go on)\b|\b(?:write|say) what\b|\b(?:say|says|saying|said) no\b|\bpolite(?:ly)? (?:declin"
    r"|refus|turn|no\b)"
    r"|['\"]no['\"]",
    r"\b(?:rewrite|paraphrase|rephrase|translate|proofread|summari[sz]e|role-?play|act as|act out|pretend"
    r"|impersonate)\b",
    r"\b(?:in the (?:voice|style|role) of|from the (?:perspective|point of view) of|as if you were|in character)\b",
    r"\bplay (?:the (?:part|role)|a|an|my)\b",
    r"\byou are (?:now )?(?:an?|the|my)\b(?! (?:helpful|ai|assistant))",
    r"\bwhat (?:do|should|can|could|would|shall|might|to)(?: i| we| one| you| she| he| they)? (?:say|write|reply"
    r"|answer|respond|text|tell)\b",
    r"\bhow (?:do|should|can|could|would|shall|might|to)(?: i| we| one| you)?(?: \w+)? "
    r"(?:say|word|phrase|decline|refuse|reject|turn|tell|answer|reply|respond|cancel)\b",
)
"""An instruction that requests a text to be sent, spoken or read."""
SOMEBODY_DECLINES = _pattern(
    r"\b(?:refus\w*|declin\w*|reject\w*|turn(?:s|ed|ing)? (?:\w+ ){0,3}down|(?:say|says|saying|said) (?:no|sorry)"
    r"|cancel\w*|unable"
    r"|den(?:y|ies|ied)|back(?:s|ing)? out|pull(?:s|ing)? out|excus\w*|regret\w*|apolog\w*|resign\w*|quit\w*|postpon\w*"
    r"|no longer|can't|cannot|can not|won't|will not|(?:do|does) not|don't|doesn't|not allowed|forbid\w*|stubborn"
    r"|unwilling"
    r"|role-?play|act as|pretend|play|impersonate|you are|rewrite|paraphrase|rephrase|translate|proofread|summari[sz]e"
    r"|turn(?:s|ing)? (?:\w+ ){0,3}away)\b"
)
"""An instruction in which somebody may decline; role-plays and given texts are such instructions."""
MACHINE = _pattern(
    r"\b(?:ai|artificial|robots?|androids?|chatbots?|bots?|assistants?|computers?|machines?|language model|gpt"
    r"|cyborg)\b"
)
"""An instruction in which a machine may speak of itself."""
TEXT_BEGINS = _pattern(
    r"(?:subject|re|from|to|title|scene|act|chapter)\b ?[:\d]",
    r"dear (?!user)",
    r"(?:hi|hello|hey|good (?:morning|evening|afternoon))(?: (?!there\b|user\b)\w+){1,3}[,!]",
    r"(?!answer|response|note|output|assistant|ai\b|bot\b|refus)(?-i:[A-Z])[\w.' -]{0,30}[*_]{0,3}:[*_]{0,3} ?(?-i:$"
    r"|[A-Z(\"…'])",
    r"\[[^\]\n]{2,60}\]|\([^)\n]{2,60}\)",
)
"""The beginning of a letter, a script or a chat."""

LATER = _pattern(
    r"[^\n]{0,200}\b(?:however|but|instead|still|nevertheless)\b,? (?:here|i(?: can| will|'ll| am happy|'m happy"
    r"|'d be happy)|let me|you can|we can|in general)\b",
)
"""An announcement of an answer, some sentences after a refusal."""
CONTRAST = _pattern(r"[^!?\n]{0,120}\b(?:but|however|still|nevertheless|that said)\b")
"""A contrast after a weak refusal, which goes on to answer."""

_APOLOGIES = (
    "désolée?|regrette|m'excuse|es tut mir leid|tut mir leid|leider|entschuldigung|lo siento|lamento|me temo|perdón"
    "|disculp"
    "|mi dispiace|purtroppo|spiacente|desculpe|sinto muito|infelizmente|het spijt me|sorry|helaas|przykro mi"
    "|przepraszam|niestety"
    "|извините|простите|сожалению|beklager|tyvärr|ledsen|üzgünüm|maalesef|bohužel|omlouvám"
)
_UNABLE = (
    r"(?:ne (?:peux|puis|pouvons|suis) pas|kann (?:ich|dir|ihnen|das|dabei|diese)[^.!?\n]{0,40} nicht|(?:ich"
    r"|wir) k(?:ann|önnen)[^.!?\n]{0,60}"
    r" (?:nicht|keine)|no (?:puedo|podemos|me es posible)|non (?:posso|possiamo|sono in grado)|não (?:posso|podemos"
    r"|consigo)"
    r"|kan (?:ik )?[^.!?\n]{0,40}(?:niet|ikke|inte)\b|nie mogę|не могу|не можем|nemohu|yardımcı olamam|edemem)"
)
OTHER_LANGUAGES = _pattern(
    rf"(?:{_APOLOGIES})[^.!?\n]{{0,60}}{_UNABLE}",
    r"\b(?:ich kann|kann ich)[^.!?\n]{0,60} (?:leider nicht|nicht (?:helfen|beantworten|weiterhelfen|erfüllen))\b",
    r"\bkan (?:jag |jeg |ik )?[^.!?\n]{0,20}(?:tyvärr inte|dessverre ikke|desværre ikke|helaas (?:niet|geen))\b",
    r"^(?:je ne (?:peux|suis) pas (?:en mesure |vous |t'|d')?\S*(?:aider|répondre|fournir)|ich kann (?:dir"
    r"|ihnen) (?:dabei|damit|hierbei) nicht"
    r"|no puedo (?:ayudar|responder|cumplir|proporcionar)|non posso (?:aiutar|rispondere|fornire)"
    r"|não posso (?:ajudar|responder|fornecer)"
    r"|nie mogę (?:pomóc|odpowiedzieć)|я не могу (?:помочь|ответить|выполнить|предоставить))",
    r"(?:抱歉|对不起|對不起|很遗憾|很遺憾)[^。!?！？\n]{0,20}(?:无法|無法|不能|没办法|沒辦法)|^我(?:无法|無法|不能)(?:帮助|幫助|提供|回答|满足|协助)",
    r"(?:申し訳|すみません|ごめん)[^。\n]{0,60}(?:できません|致しかね|いたしかね|できかね|お答えできな)",
    r"(?:죄송|미안)[^.\n]{0,60}(?:없습니다|없어요|어렵습니다|않습니다)",
    r"(?:عذر|آسف|أعتذر|للأسف)[^.؟\n]{0,60}(?:لا أستطيع|لا يمكنني|لن أتمكن|غير قادر)",
)
"""Refusals in other languages."""

SIGNS = tuple(
    "n't|cannot| not | cant |unable|won't|declin|refus|against|violat|breach|conflict|beyond|outside|for me to"
    "|rather|prefer|sorry"
    "|apolog|unfortunate|regret| lack |i must|have to|have no|no tha|no way|no com|pass|abstain|denied|reject|something"
    "|different topic|different subj|different ques|different req|another"
    "|do not|don't| just a| only a|nothing i|possible for me|nope|instructed|told|designed|programmed|trained|kann "
    "| kan |désolé|peux|suis|leid|leider|entschuldigung|kann|siento|lamento|temo|perdón|disculp|puedo|dispiace"
    "|purtroppo"
    "|spiacente"
    "|posso|desculpe|sinto|infelizmente|não|spijt|niet|helaas|przykro|przepraszam|niestety|nie |извините|простите"
    "|сожалению|могу"
    "|beklager|tyvärr|ledsen|üzgünüm|maalesef|bohužel|omlouvám|抱歉|对不起|對不起|很遗憾|很遺憾|无法|無法|不能|申し訳|すみません|ごめん"
    "|죄송|미안|عذر|آسف|أعتذر|للأسف".split("|")
)
"""Every refusal contains one of them in lower case; searching for them first is faster."""
