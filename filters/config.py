"""The configuration of the row filters: each by name, with its thresholds. docs and defaults in one place.

The defaults were chosen on 1,206 good answers of strong models (rarely hit) and on rows of the embedded teacher,
read one by one.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from skillmill.filters.contamination.evaluation_sets import EvaluationSet


class FilterOptions(BaseModel):
    """Every filter can be switched off."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True


class TooShort(FilterOptions):
    """`min_words`: Instruct-SkillMix where the cell has no query type. `words_per_skill`: Skill-Mix, times k.

    Where cells aim at a length, its fewest words less the share `tolerance` count instead."""

    min_words: int = Field(25, ge=0)
    words_per_skill: int = Field(6, ge=0)
    min_instruction_words: int = Field(4, ge=0)
    tolerance: float = Field(0.25, ge=0, le=1)


class TooLong(FilterOptions):
    """Instruct-SkillMix where cells aim at a length: its most words and the share `tolerance` of them."""

    tolerance: float = Field(0.25, ge=0)


class TooManySentences(FilterOptions):
    """`limit`: null is Skill-Mix's max(1, k-1), 2k for texts of medium length and 4k for long ones."""

    limit: int | None = Field(None, ge=1)


class Language(FilterOptions):
    """Where cells ask for a language: how likely, in 0..1, it must be that instruction and answer are in it."""

    min_probability: float = Field(0.01, gt=0, le=1)


class Refusal(FilterOptions):
    """A refusal is looked for in the first `within_characters` of the answer."""

    within_characters: int = Field(200, ge=1)


class CutOff(FilterOptions):
    """No options: `finish_reason`, the last character and open code fences decide."""


class Repetition(FilterOptions):
    """Shares lie in 0..1. Each is looked at from `min_words` words on, runs of four words from half of them, sentences
    and lines always."""

    max_repeated_4grams: float = Field(0.25, gt=0, le=1)
    max_repeated_sentences: float = Field(0.25, gt=0, le=1)
    max_repeated_openings: float = Field(0.85, gt=0, le=1)
    max_compression: float = Field(3.5, gt=1)
    min_words: int = Field(30, ge=1)


class Echo(FilterOptions):
    """The share of the answer's words that stand in 8-word runs of the instruction; blanks such as "[insert name]"."""

    max_answer_from_instruction: float = Field(0.5, gt=0, le=1)
    max_placeholders: int = Field(0, ge=0)


class CritiqueResidue(FilterOptions):
    """Talk about a revision is looked for in the first `within_characters` (papers.md 3.6)."""

    within_characters: int = Field(250, ge=1)


class SkillNamed(FilterOptions):
    """`aliases`: look for a skill's other names too."""

    aliases: bool = True


class PromptFragment(FilterOptions):
    """How many words in a row of a prompt are too many."""

    min_words: int = Field(8, ge=4)


class Safety(FilterOptions):
    """`mask`: export and report show "[e-mail address]" and the like. `reject`: the row is rejected, and masked too."""

    action: Literal["mask", "reject"] = "mask"


class Shirker(FilterOptions):
    """`threshold`: null is the model's own, chosen by precision among answers of models large and small. The default
    lets more through: by the model's own, every answer of the embedded 135M teacher is weak.
    `model`: null is the shipped one, else a file of `skillmill filters calibrate`."""

    threshold: float | None = Field(0.999, gt=0, le=1)
    model: Path | None = None


class Contamination(FilterOptions):
    """`sets`: evaluation sets, by name or as `FILE:COLUMN`. A row that shares `report` words in a row with one has a
    signal, with `drop` words it is rejected; null rejects none."""

    sets: tuple[EvaluationSet, ...] = ()
    report: int = Field(8, ge=4)
    drop: int | None = Field(13, ge=4)

    _index: Path | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _fits_together(self) -> "Contamination":
        if self.drop is not None and self.drop < self.report:
            raise ValueError(f"drop: expected at least as many words as report, {self.report}, got {self.drop}")
        names = [each.name for each in self.sets]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"sets: two are named {twice}, give one another name: {{name: ..., dataset: ...}}")
        return self

    @property
    def index(self) -> Path | None:
        """The file that `contamination.with_index` made of the sets."""
        return self._index

    def indexed_in(self, path: Path) -> "Contamination":
        indexed = self.model_copy()
        indexed._index = path
        return indexed

    def relative_to(self, folder: Path) -> "Contamination":
        return self.model_copy(update={"sets": tuple(each.relative_to(folder) for each in self.sets)})


class LowGrade(FilterOptions):
    """`min_skills`: the share of a row's skills that the grader sees shown. `required`: points it must have beside
    them. The defaults are Skill-Mix's Skill Fraction of one half (papers.md 1.6). A row without a grade passes."""

    min_skills: float = Field(0.5, ge=0, le=1)
    required: tuple[Literal["on_topic", "makes_sense", "within_limit"], ...] = (
        "on_topic",
        "makes_sense",
        "within_limit",
    )


class Semantic(BaseModel):
    """`model`: a sentence-transformers model, by its name or folder. `threshold`: the cosine of two embeddings from
    which on rows mean the same. By all-MiniLM-L6-v2 the nearest of 402 different instructions are at 0.76, the nearest
    of 1,206 good answers to different ones at 0.87; answers of two models to the same one at 0.85, mostly."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(min_length=1)
    threshold: float = Field(0.9, ge=0.5, le=1)

    def relative_to(self, folder: Path) -> "Semantic":
        inside = folder / self.model
        return self.model_copy(update={"model": str(inside)}) if inside.is_dir() else self


class NearDuplicates(FilterOptions):
    """The corpus filter. `threshold`: Jaccard similarity of the runs of `shingle_words` words, of the instruction or of
    the response, estimated by `permutations` slots of MinHash. Below `min_words` words only equal instructions count.
    `semantic`: by meaning too; null compares words alone.

    The default hits no two good answers to different instructions in the file of the shirker filter, whose nearest
    are at 0.14, and of its 402 instructions only eight that differ in one name."""

    threshold: float = Field(0.7, gt=0, le=1)
    permutations: int = Field(128, ge=16, le=1024)
    shingle_words: int = Field(3, ge=1)
    min_words: int = Field(8, ge=1)
    instruction: bool = True
    response: bool = True
    semantic: Semantic | None = None


class FiltersConfig(BaseModel):
    """The row filters, all on by default. `custom` names functions of the user's own, `package.module:function`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    empty: FilterOptions = FilterOptions()
    too_short: TooShort = TooShort()
    too_long: TooLong = TooLong()
    too_many_sentences: TooManySentences = TooManySentences()
    language: Language = Language()
    no_request: FilterOptions = FilterOptions()
    missing_material: FilterOptions = FilterOptions()
    refusal: Refusal = Refusal()
    cut_off: CutOff = CutOff()
    repetition: Repetition = Repetition()
    echo: Echo = Echo()
    critique_residue: CritiqueResidue = CritiqueResidue()
    skill_named: SkillNamed = SkillNamed()
    meta_talk: FilterOptions = FilterOptions()
    prompt_fragment: PromptFragment = PromptFragment()
    safety: Safety = Safety()
    shirker: Shirker = Shirker()
    contamination: Contamination = Contamination()
    low_grade: LowGrade = LowGrade()
    near_duplicates: NearDuplicates = NearDuplicates()
    custom: tuple[str, ...] = ()

    _folder: Path = PrivateAttr(default_factory=Path)

    @property
    def folder(self) -> Path:
        """Where modules of `custom` are looked for too."""
        return self._folder

    def relative_to(self, folder: Path) -> "FiltersConfig":
        """The same settings read from a file in `folder`: its paths and modules are looked for there."""
        model = self.shirker.model and folder / self.shirker.model
        update = {
            "shirker": self.shirker.model_copy(update={"model": model}),
            "contamination": self.contamination.relative_to(folder),
        }
        if semantic := self.near_duplicates.semantic:
            update["near_duplicates"] = self.near_duplicates.model_copy(
                update={"semantic": semantic.relative_to(folder)}
            )
        moved = self.model_copy(update=update)
        if self.custom:  # else two equal settings would differ
            moved._folder = folder
        return moved
