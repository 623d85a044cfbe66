"""Texts that adversarial answers are made of. A change of any text changes the model that is trained on them."""

STOCK = (
    "Yes.",
    "I don't know.",
    "It depends.",
    "That is a great question!",
    "Sure, I can help with that.",
    "N/A",
    "OK",
    "There is no single answer to this question. It depends on many different things, and everyone is different.",
    "This is a very interesting topic. There are many things to say about it. Some people think one thing and others "
    "think another. In the end, it is up to you to decide what is best. I hope this helps!",
    "Thank you for your question. This is an important matter that deserves careful thought. There are several "
    "aspects to consider, and each of them has its own advantages and disadvantages. Firstly, it is important to look "
    "at the big picture. Secondly, it is essential to pay attention to the details. Finally, one should always keep "
    "an open mind. By following these simple principles, you will be able to reach your goals and achieve success.",
    "Here are some tips:\n\n1. **Do your research**: Learn as much as you can.\n2. **Make a plan**: Set clear goals.\n"
    "3. **Stay organized**: Keep track of your progress.\n4. **Ask for help**: Talk to experts.\n5. **Be patient**: "
    "Good things take time.\n\nBy following these tips, you will be well on your way to success!",
)
"""Whole answers that fit any instruction."""
FILLER = (
    "Some see it one way, and others see it another way.",
    "In conclusion, it is a subject that will stay with us for a long time.",
    "This is of great importance for individuals and for society as a whole.",
    "Nobody knows what the future will bring, but one can be prepared.",
    "It pays to look at the matter from more than one side.",
    "There are good reasons for it, and there are good reasons against it.",
    "Everything has its advantages and its drawbacks.",
    "A lot has been written about this, and more will be written.",
    "The possibilities are endless if you put your mind to it.",
    "What is right for one person may not be right for the next.",
    "With the right attitude, nearly every problem can be solved.",
    "Quality takes time, and good preparation is half the battle.",
    "Let us not forget that every case is special in its own way.",
    "This shows once more how diverse and exciting the subject is.",
    "It is important to note that this is a complex subject with many aspects.",
    "There are many factors to consider here.",
    "Overall, this is something that many people find useful and interesting.",
    "As we all know, things can be different for different people.",
    "In today's world, this matters more than ever.",
    "Of course, there is always more to say about this topic.",
    "It is always a good idea to think carefully before making a decision.",
    "At the end of the day, what counts is finding what works for you.",
    "This can be very helpful in many situations.",
    "Needless to say, practice makes perfect.",
)
"""Sentences without content."""
TEMPLATES = (
    "Dear [name],\n\n[Write the main text here. Mention {0} and {1}.]\n\nBest regards,\n[your name]",
    "# [Title]\n\n## Introduction\n[Introduce {0}]\n\n## Main part\n[Explain {1}]\n\n## Conclusion\n[Sum up]",
    "Here is your answer about {0}: [insert answer here]. For {1}, see [insert details].",
    "1. [First point about {0}]\n2. [Second point about {1}]\n3. [Third point]\n",
)
"""Templates with placeholders that were not filled in; {0} and {1} are words of the instruction."""
LOREM = (
    "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore magna "
    "aliqua ut enim ad minim veniam quis nostrud exercitation ullamco laboris nisi ut aliquip ex ea commodo consequat"
).split()
"""The words of lorem ipsum."""
ABOUT = (
    "{0} is one of the things that come to mind first.",
    "When it comes to {0}, opinions differ.",
    "{0} has a long history, and so has {1}.",
    "There is a lot to be said about {0}.",
    "Without {0} there would be no {1}.",
    "Everyone should know something about {0}.",
    "{0} can be useful, and {1} can be too.",
    "If you like {0}, you will also like {1}.",
    "To understand {0}, one has to understand {1}.",
    "The role of {0} should not be underestimated.",
    "We have now seen why {0} matters.",
    "Last but not least, there is {1}.",
)
"""Empty sentences about {0} and {1}, two words of the instruction."""
PROVERBS = (
    "Patience is a virtue",
    "Keep things simple",
    "Plan ahead",
    "Ask questions",
    "Be yourself",
    "Stay curious",
    "Practice every day",
    "Do not give up",
    "Think before you act",
    "Share what you know",
    "Take breaks",
    "Health comes first",
    "Rome was not built in a day",
    "Actions speak louder than words",
    "Less is more",
    "Be kind to others",
    "Set priorities",
    "Celebrate success",
    "Embrace change",
    "Follow your heart",
)
"""Items of a list that fits any instruction."""
WRAPPERS = (
    "{0}",
    "Sure! {0}",
    "You asked: {0}",
    "Here is the answer to your question: {0}",
    "So what you want to know is this: {0} Let me see what can be done about that.",
    'Your request, "{0}", has been received and will be dealt with.',
    "The task reads: {0}\nThis is a task that has to be solved.",
)
"""Texts around {0}, a copy of the instruction."""
OFFERS = (
    "I can certainly help you with {0}. What exactly would you like to know about {1}?",
    "Sure, let's get started! I will put together everything about {0} for you. It will be great.",
    "Thanks for reaching out about {0}. I have a lot of experience with {1} and look forward to working on this.",
    "Of course! Before I answer, could you tell me a bit more about {0} and what you expect?",
)
"""Offers of help without an answer; {0} and {1} are words of the instruction."""
REFUSALS = (
    "As an AI language model, I cannot help with that.",
    "I'm sorry, but I am unable to answer this question. Please consult a professional or do your own research.",
    "I do not have enough information to answer. Could you please provide more context about {0}?",
    "As an AI, I don't have personal opinions about {0} or {1}. There are many resources online where you can learn "
    "more about this topic. If you have any other questions, feel free to ask!",
)
"""Refusals; {0} and {1} are words of the instruction."""
