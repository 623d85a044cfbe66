"""The `filters` section of the configuration: one field per filter, which is the filter's whole registration.

The defaults of the row filters rarely reject one of 1,206 good answers of strong models. They were also checked by hand
on rows of the embedded teacher.
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, PrivateAttr

from skillmill.filters.contamination.filter import Contamination
from skillmill.filters.dedup.options import NearDuplicates
from skillmill.filters.rows.chat_residue import ChatResidue
from skillmill.filters.rows.critique_residue import CritiqueResidue
from skillmill.filters.rows.cut_off import CutOff
from skillmill.filters.rows.echo import Echo
from skillmill.filters.rows.empty import Empty
from skillmill.filters.rows.judgement import Judgement
from skillmill.filters.rows.language import Language
from skillmill.filters.rows.lost_characters import LostCharacters
from skillmill.filters.rows.low_grade import LowGrade
from skillmill.filters.rows.meta_talk import MetaTalk
from skillmill.filters.rows.missing_material import MissingMaterial
from skillmill.filters.rows.no_request import NoRequest
from skillmill.filters.rows.prompt_fragment import PromptFragment
from skillmill.filters.rows.refusal import Refusal
from skillmill.filters.rows.repetition import Repetition
from skillmill.filters.rows.safety import Safety
from skillmill.filters.rows.skill_named import SkillNamed
from skillmill.filters.rows.too_long import TooLong
from skillmill.filters.rows.too_many_sentences import TooManySentences
from skillmill.filters.rows.too_short import TooShort
from skillmill.filters.shirker.filter import Shirker


class FiltersConfig(BaseModel):
    """The filters of a run, all on by default. Row filters run in the order of their fields.

    The order of the fields and the defaults are part of the fingerprint of a run's decisions.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    empty: Empty = Empty()
    too_short: TooShort = TooShort()
    too_long: TooLong = TooLong()
    too_many_sentences: TooManySentences = TooManySentences()
    language: Language = Language()
    no_request: NoRequest = NoRequest()
    missing_material: MissingMaterial = MissingMaterial()
    refusal: Refusal = Refusal()
    cut_off: CutOff = CutOff()
    repetition: Repetition = Repetition()
    echo: Echo = Echo()
    lost_characters: LostCharacters = LostCharacters()
    chat_residue: ChatResidue = ChatResidue()
    critique_residue: CritiqueResidue = CritiqueResidue()
    judgement: Judgement = Judgement()
    skill_named: SkillNamed = SkillNamed()
    meta_talk: MetaTalk = MetaTalk()
    prompt_fragment: PromptFragment = PromptFragment()
    safety: Safety = Safety()
    shirker: Shirker = Shirker()
    contamination: Contamination = Contamination()
    low_grade: LowGrade = LowGrade()
    near_duplicates: NearDuplicates = NearDuplicates()
    custom: tuple[str, ...] = ()
    """User-defined filters, functions as `package.module:function`."""

    _folder: Path = PrivateAttr(default_factory=Path)

    @property
    def folder(self) -> Path:
        """The folder in which modules of `custom` are searched for, in addition to the import path."""
        return self._folder

    def relative_to(self, folder: Path) -> "FiltersConfig":
        """Return the same settings with paths and modules taken relative to `folder`."""
        model = self.shirker.model and folder / self.shirker.model
        update: dict[str, BaseModel] = {
            "shirker": self.shirker.model_copy(update={"model": model}),
            "contamination": self.contamination.relative_to(folder),
        }
        if semantic := self.near_duplicates.semantic:
            update["near_duplicates"] = self.near_duplicates.model_copy(
                update={"semantic": semantic.relative_to(folder)}
            )
        moved = self.model_copy(update=update)
        if self.custom:  # pydantic compares private attributes: without custom filters, equal settings stay equal
            moved._folder = folder
        return moved
