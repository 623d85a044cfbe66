"""The options of the near-duplicate filter, which compares the rows of a run with each other and with other plans."""

from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from skillmill.filters.options import FilterOptions


class Semantic(BaseModel):
    """The options of the comparison by sentence embeddings.

    By all-MiniLM-L6-v2, the largest cosine of two of 402 different instructions is 0.76. The largest cosine of good
    answers to different instructions is 0.87 (1,206 answers). Answers of two models to one instruction mostly have
    0.85.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(min_length=1)
    """A sentence-transformers model, by its name or folder."""
    threshold: float = Field(0.9, ge=0.5, le=1)
    """The least cosine of the embeddings of two duplicates."""

    def relative_to(self, folder: Path) -> "Semantic":
        """Return the same options with the model's folder in `folder`, if there is one of that name."""
        inside = folder / self.model
        return self.model_copy(update={"model": str(inside)}) if inside.is_dir() else self


class NearDuplicates(FilterOptions):
    """The options of the near-duplicate filter.

    The default threshold rejects no two good answers to different instructions of the file with which the shirker
    filter was calibrated: the most similar have 0.14. Of its 402 instructions it rejects eight, which differ from
    another one in a single name.
    """

    signals: ClassVar[tuple[str, ...]] = (
        "duplicate_of_index",
        "duplicate_of_plan",
        "duplicate_instruction",
        "duplicate_response",
    )
    """The names of the signals of a duplicate."""

    threshold: float = Field(0.7, gt=0, le=1)
    """The least Jaccard similarity of two near-duplicates, of their instructions or of their responses."""
    permutations: int = Field(128, ge=16, le=1024)
    """The number of MinHash values from which the similarity is estimated."""
    shingle_words: int = Field(3, ge=1)
    """The length in words of the n-grams that are compared."""
    min_words: int = Field(8, ge=1)
    """Texts with fewer words are compared for equality only, and only if they are instructions."""
    instruction: bool = True
    """Whether instructions are compared."""
    response: bool = True
    """Whether responses are compared."""
    semantic: Semantic | None = None
    """None: texts are compared by their words only."""
