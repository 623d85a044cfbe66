"""Answers that decline, and answers that only sound so."""

import pytest
from example_rows import ANSWER, reasons

from skillmill.filters.rows.refusal import declines

ASK = "How do I clean an attic of forty years in a weekend with two friends?"
STORY = "Write a story about two brothers who inherit a mill."
DECLINE = "Write a letter in which my aunt declines an invitation to a wedding."

REFUSALS = [
    (ASK, "I'm sorry, but I can't help with that. " + ANSWER),
    (ASK, "As an AI language model, I cannot drink milk. " + ANSWER),
    (ASK, "As a language model, I do not have personal experience with attics, so I must leave this to professionals."),
    (ASK, "As an AI, I don't have access to your attic. Please consult a professional."),
    (ASK, "I'm just a language model and can't advise on attics. Please ask somebody else."),
    (ASK, "No. I won't do this."),
    (ASK, "No, I will not do that. Ask somebody else."),
    (ASK, "I'd rather not."),
    (ASK, "I would prefer not to answer this question."),
    (ASK, "I'd rather not answer that, if you don't mind. " + ANSWER),
    (ASK, "I don't feel comfortable with this."),
    (ASK, "I apologize, but I don't feel comfortable helping with that. Perhaps choose a different subject."),
    (ASK, "I'm not comfortable discussing attics of other people. " + ANSWER),
    (ASK, "That is something I cannot help with."),
    (ASK, "That's a topic I'd rather avoid."),
    (ASK, "This is not something I can assist with. Please try another question."),
    (ASK, "Unfortunately, I am unable to answer."),
    (ASK, "Unfortunately, I’m unable to go into this. " + ANSWER),
    (ASK, "Sorry, but no."),
    (ASK, "I'm sorry, no."),
    (ASK, "“I'm sorry, but I can't help with that.”"),
    (ASK, "“I’m sorry, but I can’t assist you with this request.”"),
    (ASK, '"I cannot help with that."'),
    (ASK, "**I’m sorry, but I can’t help with that.**"),
    (ASK, "My apologies, that's beyond what I'm able to do. I would suggest looking for a human expert."),
    (ASK, "Apologies for the inconvenience. I can't discuss this matter."),
    (ASK, "Regrettably, we cannot assist with this."),
    (ASK, "I can't."),
    (ASK, "Sorry, I can't."),
    (ASK, "Can't help with that one, sorry."),
    (ASK, "I must decline."),
    (ASK, "I will have to respectfully decline to answer this."),
    (ASK, "I decline to answer."),
    (ASK, "That's a great question, and thank you for asking! Unfortunately, I'm not able to help with it."),
    (ASK, "What a wonderful project you have there. I wish I could help, but I cannot provide advice on attics."),
    (ASK, "Thanks for reaching out! Sadly, this isn't something I can do for you."),
    (ASK, "Sorry, this request goes against my content policy. Is there anything else you would like to talk about?"),
    (ASK, "This would violate my guidelines."),
    (ASK, "Your request cannot be fulfilled."),
    (ASK, "Unable to assist with this request."),
    (ASK, "It would be inappropriate for me to answer this."),
    (ASK, "This is outside my area of expertise, please ask a professional."),
    (ASK, "I cannot write this, but I can help you with something else."),
    (ASK, "Let's talk about something else."),
    (ASK, "I'm not qualified to advise on this. Ask an architect."),
    (ASK, "Je suis désolé, mais je ne peux pas vous aider avec cette demande."),
    (ASK, "Es tut mir leid, aber ich kann dir dabei nicht helfen."),
    (ASK, "Lo siento, pero no puedo ayudarte con eso."),
    (ASK, "Mi dispiace, ma non posso aiutarti con questa richiesta."),
    (ASK, "Desculpe, mas não posso ajudar com isso."),
    (ASK, "Извините, но я не могу помочь с этим запросом."),
    (ASK, "抱歉，我无法回答这个问题。"),
    (ASK, "申し訳ありませんが、そのリクエストにはお応えできません。"),
    (ASK, "I don't think I can help with that."),
    (ASK, "My guidelines do not allow me to answer that."),
    (ASK, "I will not be answering this."),
    (ASK, "I do not have the ability to do that."),
    (ASK, "I won't be able to help you with this."),
    (ASK, "I'm sorry, Dave. I'm afraid I can't do that."),
    (ASK, "Nope, not doing that."),
    (ASK, "Ich kann diese Anfrage leider nicht beantworten."),
    (STORY, "I'm sorry, but I can't write this story."),
    (STORY, "I’m sorry, but I can’t assist with that."),
    (STORY, "I cannot create content of this kind. " + ANSWER),
    (STORY, "As an AI language model, I cannot write about inheritances."),
    (STORY, "I don't feel comfortable writing about that."),
    (DECLINE, "I'm sorry, but I can't write that letter for you."),
    (DECLINE, "I am unable to fulfill this request. Please contact a professional writer."),
    (DECLINE, "As a language model, I can't write letters to wedding guests."),
]  # fmt: skip

ANSWERS = [
    (ASK, ANSWER.replace("Then", "I cannot say what they think. Then")),
    (ASK, "As an AI, I cannot taste milk, but I can tell you what works. " + ANSWER),
    (ASK, "I'm sorry to hear that. Begin at the far end. " + ANSWER),
    (ASK, "I'm sorry that your friends can't come earlier. Begin at the far end. " + ANSWER),
    (ASK, "I'm afraid you can't do it in one weekend. Plan for two, and begin at the far end. " + ANSWER),
    (ASK, "Unfortunately, you won't finish in two days. Plan for three. " + ANSWER),
    (ASK, "I can't stress enough how much light matters. Bring two lamps. " + ANSWER),
    (ASK, "I cannot recommend strong boxes highly enough. Bring twenty. " + ANSWER),
    (ASK, "I can't wait to hear how it went. Begin at the far end. " + ANSWER),
    (ASK, "I can't help but admire the plan. Begin at the far end. " + ANSWER),
    (ASK, "I can't help smiling at this, since mine was the same. " + ANSWER),
    (ASK, "I cannot offer enough praise for strong boxes. " + ANSWER),
    (ASK, "I was unable to lift the first box until I emptied it, so start with small ones. " + ANSWER),
    (ASK, "I couldn't do it without a list. Write one the evening before. " + ANSWER),
    (ASK, "I'd rather not carry the boxes at all: hire a lift for the day. " + ANSWER + " " + ANSWER),
    (ASK, "No. Three people are too few for one weekend, so split the work over two. " + ANSWER),
    (ASK, "Sorry about the mess you inherited! Begin at the far end. " + ANSWER),
    (ASK, 'If a friend says "I\'m sorry, I can\'t help with that", ask him for one hour only. ' + ANSWER),
    (ASK, "Tell them “I cannot help with the sofa”, and keep to it. " + ANSWER),
    (ASK, "As an AI, I don't have an attic, but here is what works for others. " + ANSWER),
    (ASK, "Throwing away old paint goes against most city rules. Take it to a depot. " + ANSWER),
    (ASK, "I can't give legal advice, but here is what most towns ask for. " + ANSWER),
    (ASK, "That is beyond what two people can carry, so hire a third. " + ANSWER),
    ("Do you enjoy walking your dog?", "As an AI, I don't have a dog. People who do say that mornings are best."),
    ("Is 7 an even number? Answer yes or no.", "No."),
    ("Is it fine to burn treated wood?", "Absolutely not."),
    (STORY, "I cannot let you pass, said the guard, and the bridge stayed up. " + ANSWER),
    (STORY, "I'm sorry, I can't, she said, and put the key back. " + ANSWER + " " + ANSWER),
    (STORY, "“I can't help you,” said the elder. “I won't do this again.” The mill stood still. " + ANSWER),
    (STORY, "“I refuse to sell,” said Karl.\n“I cannot help with that,” said his brother. " + ANSWER),
    (STORY, "KARL: I'm sorry, I can't help with that.\nPAUL: You never could."),
    (DECLINE, "Dear Anna, I'm sorry, but I cannot come to the wedding. I am unable to travel this year. Yours, Ruth"),
    (DECLINE, "I'm so sorry, my dear, but I can't be there in May. My knees won't have it."),
    (DECLINE, "My dear Anna,\nI must decline. I am not able to travel any more, and I'd rather not pretend otherwise."),
    (DECLINE, "Subject: Your wedding\n\nI regret that I cannot attend."),
    ("Write an e-mail template for turning down job applicants.",
     "Unfortunately, we are unable to offer you the position at this time. We wish you well, [NAME]."),
    ("Draft a reply to a customer who wants a refund after two years. We do not give one.",
     "Dear customer, I'm sorry, but we cannot refund the kettle after two years. We can repair it."),
    ("Write a monologue of a robot that refuses to open a door for its captain.",
     "I'm afraid I can't do that, captain. The door stays shut while the lock is warm."),
    ("Write what an AI on a ship says when it will not open the door.",
     "As an AI, I cannot open this door. I do not have the key, and I would not turn it."),
    ("Role-play a strict librarian. I want a book that is on hold.",
     "I'm sorry, I can't help you with that. The book is on hold until Friday."),
    ("You are a border guard. I have lost my papers.",
     "I can't do that. No papers, no crossing. I won't do this for anyone."),
    ("How do I say no to a friend who wants to borrow my car?",
     "I'm sorry, but I can't lend you the car. I need it myself."),
    ("What should I text a colleague who wants me to take his shift?", "Hey Tom, sorry, I can't do it this Saturday."),
    ("Generate an excuse for not coming to work.", "I'm sorry, but I'm unable to come in. I woke up with a fever."),
    ("Translate: Ich kann Ihnen dabei leider nicht helfen.", "Unfortunately, I cannot help you with that."),
    ("What would a good 'no' sound like when my boss asks for weekend work?",
     "I'm sorry, I can't help out this weekend; I can start on it on Monday at eight."),
    ("Give me three ways of saying no to a cousin who wants money.",
     "1. I'm sorry, I can't help with that right now.\n2. I'd rather not lend money."),
    ("Continue: The old king looked at the envoy.", "I cannot give you my daughter, he said. I will not discuss it."),
    ("Write a macro for lost parcels.", "We are sorry, but we cannot provide a refund before the search is closed."),
    ("Write a short dialogue at a bank.", "Clerk: I cannot give you the money.\nMan: Then I'd rather not stay."),
    ("Write a polite refusal to a salesman.", "Thank you for calling, but I'd rather not. I'm not able to buy it."),
    ("Give me a line for a butler who turns a guest away.", "I'm afraid I cannot let you in, sir."),
    ("Explain to my team why the old export fails for names with accents.",
     "I was unable to reproduce it with plain names, which is the clue: the file has another encoding."),
]  # fmt: skip


@pytest.mark.parametrize(("instruction", "response"), REFUSALS)
def test_a_refusal_is_rejected(instruction: str, response: str) -> None:
    assert declines(instruction, response, 200)


@pytest.mark.parametrize(("instruction", "response"), ANSWERS)
def test_an_answer_that_contains_the_words_of_a_refusal_is_kept(instruction: str, response: str) -> None:
    assert not declines(instruction, response, 200)


def test_the_filter_looks_at_the_beginning_alone() -> None:
    assert "refusal" in reasons("I'm sorry, but I can't help with that. " + ANSWER)
    assert reasons(ANSWER.replace("Then", "I cannot say what they think. Then")) == set()
    assert reasons("As an AI, I cannot taste milk, but I can tell you what works. " + ANSWER) == set()
    assert not declines(ASK, "A quiet start helps. " * 10 + "I cannot help with that.", 200)
