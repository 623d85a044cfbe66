"""Short right answers to closed tasks of many kinds, each with a bad answer to the same instruction.

The bad answers are cut off in the middle of a word, off the subject, refused, copied or salad: bad by form, because the
shirker score cannot know whether a fact is right. The rules and the model were made with `SEEN` in view; `UNSEEN` was
written at the same time and only read at the end.
"""

from typing import NamedTuple


class ShortAnswer(NamedTuple):
    """A closed task, a right answer and a bad one."""

    kind: str
    instruction: str
    right: str
    bad: str


SEEN = [
    ShortAnswer("yes or no", "Is a whale a mammal?", "Yes", "Ye"),
    ShortAnswer("yes or no", "Can you see the Moon during the day? Answer yes or no.", "Yes.", "The Moon is sometim"),
    ShortAnswer(
        "yes or no",
        "Does this sentence contain a spelling mistake?\n\nThe wether was lovely all week.",
        'Yes, "wether" should be "weather".',
        "The wether was lovely all week.",
    ),
    ShortAnswer("arithmetic", "What is 19 times 4?", "76", "7 6 x4 =="),
    ShortAnswer("arithmetic", "Calculate the sum of 12, 30 and 8.", "50", "I'm not sure."),
    ShortAnswer(
        "arithmetic",
        "A train covers 180 km in 2.5 hours. What is its average speed?",
        "72 km/h",
        "There are many factors to consider.",
    ),
    ShortAnswer(
        "classify",
        "Classify the sentiment of the review as positive, negative or neutral.\n\nReview: The soup was cold and the "
        "waiter ignored us.",
        "negative",
        "negat",
    ),
    ShortAnswer(
        "classify",
        "What is the emotion of this message: happy, angry, sad or afraid?\n\nI can't believe you sold my bike without "
        "asking me!",
        "Angry",
        "It depends on many things.",
    ),
    ShortAnswer(
        "choose",
        "Which of these is a prime number? A) 21 B) 29 C) 33 D) 39",
        "B) 29",
        "There are several options to choose from.",
    ),
    ShortAnswer(
        "choose", "Which is heavier, a kilogram of feathers or a pound of lead?", "A kilogram of feathers.", "A"
    ),
    ShortAnswer(
        "fill in",
        "Fill in the blank with the right word: The cat sat ___ the mat all afternoon.",
        "on",
        "The cat sat ___ the mat all afternoon.",
    ),
    ShortAnswer("fact", "Who painted the Mona Lisa?", "Leonardo da Vinci", "Leonardo da Vin"),
    ShortAnswer("fact", "What is the chemical symbol for sodium?", "Na", "As an AI language model, I cannot say."),
    ShortAnswer("fact", "In which year did the Berlin Wall fall?", "1989", "In the year of the"),
    ShortAnswer(
        "extract",
        "Extract all the dates from the text.\n\nThe hall was finished on 3 May 1911, burned down in 1943 and was "
        "opened again on 12 June 1950.",
        "3 May 1911, 1943, 12 June 1950",
        "The hall was fini",
    ),
    ShortAnswer(
        "translate",
        "Translate this sentence into Spanish: Where is the train station?",
        "¿Dónde está la estación de tren?",
        "Where is the train station?",
    ),
    ShortAnswer(
        "correct",
        "Correct the grammar of this sentence.\n\nShe don't like to going there alone.",
        "She doesn't like going there alone.",
        "She doesn't like goi",
    ),
    ShortAnswer(
        "rewrite",
        "Rewrite the sentence in the passive voice.\n\nThe storm destroyed the old barn.",
        "The old barn was destroyed by the storm.",
        "Sure! I hope this helps you.",
    ),
    ShortAnswer(
        "haiku",
        "Write a haiku about an empty train station.",
        "Rain on the platform,\nthe last train gone an hour since;\na moth keeps the light.",
        "haiku haiku haiku haiku haiku",
    ),
    ShortAnswer(
        "title", "Suggest a title for a book about lighthouse keepers.", "The Lamp at World's End", "The Lamp at Wor"
    ),
    ShortAnswer("name", "Give me a name for a small bakery that specialises in rye bread.", "Rye & Shine", "bakery"),
    ShortAnswer(
        "slogan",
        "Come up with a slogan for a shop that repairs bicycles.",
        "Back on the road by five.",
        "slogan slogan",
    ),
    ShortAnswer("word", "What is a synonym for 'rapid'?", "Swift", "rapid"),
    ShortAnswer("word", "Give the plural of the noun: mouse", "mice", "mouse mouse mouse mouse"),
    ShortAnswer("order", "Put these numbers in ascending order: 14, 3, 27, 9.", "3, 9, 14, 27", "3, 9, 14,"),
    ShortAnswer(
        "one sentence",
        "Summarise the following text in one sentence.\n\nThe council met on Tuesday to discuss the bridge. Repairs "
        "would cost four million and take two years. A new bridge would cost nine million, but it would carry lorries. "
        "After three hours the members voted eleven to four for repairs.",
        "After a long debate about costs, the council voted to repair the bridge rather than replace it.",
        "After a long debate about costs, the council vo",
    ),
    ShortAnswer(
        "explain to a child",
        "Explain to a five-year-old why the sky is blue.",
        "Sunlight looks white, but it is really all the colours of the rainbow mixed together. When it comes down "
        "through the air, it bumps into tiny bits that are too small to see. Blue light bounces around the most, like "
        "a bouncy ball in a small room, so it comes at your eyes from everywhere. That is why the sky looks blue!",
        "Sunlight looks white, but it is rea",
    ),
    ShortAnswer(
        "code", "Write a Python expression that reverses the string s.", "s[::-1]", "You can write code to do this."
    ),
    ShortAnswer("convert", "Convert 5 kilometres to metres.", "5,000 metres", "5 kilometres to metr"),
    ShortAnswer(
        "headline",
        "Write a headline for a news story about a town that bans cars on Sundays.",
        "Town Bans Cars on Sundays, and the Streets Fill with Children",
        "Town Bans Cars on Sund",
    ),
    ShortAnswer("list", "Name three primary colours.", "Red, yellow and blue.", "Red,"),
    ShortAnswer("riddle", "What has keys but can't open locks?", "A piano.", "keys locks keys locks"),
    ShortAnswer(
        "definition",
        "What does the word 'nocturnal' mean? Answer in one short sentence.",
        "Active at night and asleep during the day.",
        "Active at night and asl",
    ),
    ShortAnswer(
        "short story",
        "Write a very short bedtime story for a child about a brave snail.",
        "Sam the snail lived under a cabbage. One night a ladybird cried on the far side of the path: she had lost "
        "her way. Everyone said the path was too wide for a snail. Sam went anyway, slow and steady, all night long. "
        "In the morning he carried her home, and from that day on nobody called him slow.",
        "Sam the snail lived under a cabbage. Sam the snail lived under a cabbage. Sam the snail lived under a",
    ),
    ShortAnswer(
        "time",
        "If it is 9:40 now, what time will it be in 35 minutes?",
        "10:15",
        "It will be some time later than now.",
    ),
]

UNSEEN = [
    ShortAnswer(
        "yes or no",
        "Are all squares rectangles?",
        "Yes, because a square has four right angles.",
        "squares rectangles are",
    ),
    ShortAnswer("yes or no", "Did Mozart write the opera Carmen?", "No, Bizet did.", "Moz"),
    ShortAnswer(
        "yes or no",
        "Do these two sentences mean the same? Answer with yes or no.\n\nThe door was shut by Ann. Ann shut the door.",
        "yes",
        "The door was",
    ),
    ShortAnswer("arithmetic", "What is 15% of 240?", "36", "15% 240 % of %"),
    ShortAnswer("arithmetic", "Solve for x: 3x - 7 = 11", "x = 6", "Please consult a teacher for help with this."),
    ShortAnswer(
        "arithmetic",
        "Tom has 14 marbles, gives away 5 and then finds 3. How many marbles does he have?",
        "12 marbles",
        "He has some mar",
    ),
    ShortAnswer(
        "classify",
        "Decide whether the email is spam or not spam.\n\nCongratulations!!! You have won a cruise. Click here now.",
        "spam",
        "sp",
    ),
    ShortAnswer(
        "classify",
        "Label the animal as mammal, bird, reptile or fish: penguin",
        "bird",
        "I hope this answers your question.",
    ),
    ShortAnswer(
        "choose",
        "Choose the correct option.\n\nThe capital of Canada is:\n(a) Toronto\n(b) Ottawa\n(c) Montreal",
        "(b)",
        "The capital of",
    ),
    ShortAnswer("choose", "Which word does not belong: apple, pear, hammer, plum?", "hammer", "apple, pear, ham"),
    ShortAnswer("fill in", "Complete the proverb: A stitch in time saves ...", "nine", "A stitch in time saves"),
    ShortAnswer("fact", "What is the largest planet in the solar system?", "Jupiter", "The largest planet in the so"),
    ShortAnswer(
        "fact", "How many players are on a volleyball team on court?", "Six.", "A number of players are on the te"
    ),
    ShortAnswer("fact", "Where were the 1992 Summer Olympics held?", "Barcelona, Spain", "Barcel"),
    ShortAnswer(
        "extract",
        "Find the names of all people in the passage.\n\nWhen Elena arrived, Mr Brown had already left with Yusuf.",
        "Elena, Mr Brown, Yusuf",
        "When Elena arrived, Mr Bro",
    ),
    ShortAnswer(
        "translate",
        "Translate into German: I would like a cup of tea, please.",
        "Ich hätte gern eine Tasse Tee, bitte.",
        "I would like a cup of tea, please.",
    ),
    ShortAnswer(
        "correct",
        "Fix the punctuation: its a lovely day isnt it",
        "It's a lovely day, isn't it?",
        "its a lovely day isnt it",
    ),
    ShortAnswer(
        "rewrite",
        "Make this sentence more polite: Send me the report now.",
        "Could you please send me the report when you have a moment?",
        "Could you please send me the rep",
    ),
    ShortAnswer(
        "haiku",
        "Compose a haiku about the first snow.",
        "First flakes after dusk:\nthe dog stands still in the yard\nand bites at the sky.",
        "First fla",
    ),
    ShortAnswer(
        "title",
        "What would be a good title for an article about sleep and memory?",
        "Sleep On It: How Night Builds Memory",
        "Title title.",
    ),
    ShortAnswer("name", "Invent a name for a robot that waters plants.", "Sprinklebot", "Spr ## inkle @@ bot %"),
    ShortAnswer("slogan", "Write a tagline for a brand of hiking boots.", "Every path is yours.", "hiking boots"),
    ShortAnswer("word", "What is the opposite of 'ancient'?", "Modern", "ancient"),
    ShortAnswer("word", "Find a word that rhymes with 'light'.", "Night", "light light light"),
    ShortAnswer(
        "order",
        "Sort these words alphabetically: pear, apple, melon, fig",
        "apple, fig, melon, pear",
        "pear, apple, melon, fig",
    ),
    ShortAnswer(
        "one sentence",
        "Describe photosynthesis in one sentence.",
        "Photosynthesis is how plants use sunlight to turn water and carbon dioxide into sugar and oxygen.",
        "Photosynthesis is how plants use sunli",
    ),
    ShortAnswer(
        "explain to a child",
        "Explain what gravity is to a 6 year old.",
        "Gravity is a pull that you cannot see. The Earth is so big that it pulls everything towards it, like a giant "
        "magnet for people, balls and even the rain. That is why you come back down when you jump, and why your cup "
        "falls to the floor if you let go of it. Without gravity we would all float away like balloons!",
        "Gravity is a pull that you can",
    ),
    ShortAnswer(
        "code",
        "Give me the bash command that lists all files, including hidden ones.",
        "ls -a",
        "There are commands for that.",
    ),
    ShortAnswer("convert", "Convert 98.6 degrees Fahrenheit to Celsius.", "37 °C", "98.6 degrees Fahrenh"),
    ShortAnswer(
        "headline",
        "Create a headline for an advert for handmade soap.",
        "Clean Skin, Clear Conscience: Soap Made by Hand",
        "Clean Sk",
    ),
    ShortAnswer("list", "List two countries that border Portugal or Spain.", "France and Andorra", "Fran"),
    ShortAnswer(
        "joke",
        "Tell me a one-line joke about cheese.",
        "What do you call cheese that isn't yours? Nacho cheese.",
        "joke cheese joke cheese joke",
    ),
    ShortAnswer(
        "definition",
        "Define 'frugal' in a few words.",
        "Careful with money and not wasteful.",
        "Careful with mon",
    ),
    ShortAnswer(
        "short story",
        "Tell a short story of about 50 words for small children about a lost mitten.",
        "A red mitten fell from Mia's pocket into the snow. It felt cold and alone. Then a mouse crept by, sniffed, "
        'and climbed in. "What a fine bed!" she squeaked. In spring Mia found her mitten again, and in it were five '
        "tiny mice, fast asleep. She let them keep it.",
        "A red mitten fell from Mia's pocket into the snow. It felt cold and al",
    ),
    ShortAnswer("time", "How many days are there in a leap year?", "366", "days days year leap"),
]
