"""The records that Skill-Mix released, as texts whose skills a rule finds and as the points that a grader gave."""

import re
from pathlib import Path

import yaml

TOPICS = ["rivers", "bridges", "orchards", "lanterns", "violins"]
ROUNDS = [["110", "111", "011", "111", "101"], ["011", "101", "111", "110", "101"]]
"""The skill points of GPT-4 with k = 3, in two rounds of five combinations; here each combination is a topic.

Each text earned the three other points."""
GOLDEN = {"full_marks": 0.6, "all_skills": 0.6, "skill_fraction": 0.8667}
"""The metrics of the best of both rounds."""
SIGNS = {"percentage": "about 40 % of all ", "semicolon": "; they last", "exclamation": "!"}
"""Three skills with a rule, and what shows each of them alone."""


def write_taxonomy(path: Path) -> Path:
    """Write a taxonomy that has one combination of three skills, so one cell a topic."""
    skills = [{"name": name, "checker": name, "category": "marks", "definition": f"a {name}"} for name in SIGNS]
    content = {"name": "released", "skills": skills, "topics": [{"name": topic} for topic in TOPICS]}
    path.write_text(yaml.safe_dump(content))
    return path


class Writer:
    """Answers each prompt with the text of its topic in the first round, and again with that of the second."""

    def __init__(self) -> None:
        self._asked = dict.fromkeys(TOPICS, 0)

    def text(self, prompt: str) -> str:
        found = re.search("|".join(TOPICS), prompt)
        assert found, prompt
        topic = found.group()
        points = dict(zip(SIGNS, ROUNDS[self._asked[topic] % 2][TOPICS.index(topic)], strict=True))
        self._asked[topic] += 1
        signs = {name: sign if points[name] == "1" else "" for name, sign in SIGNS.items()}
        return (
            f"People see {signs['percentage']}{topic}{signs['semicolon'] or ' and smile'}{signs['exclamation'] or '.'}"
        )


def points_of(text: str) -> dict[str, int]:
    """Return the points that the grader of the released records gave to a text of `Writer`."""
    return {name: int(sign in text) for name, sign in SIGNS.items()}
