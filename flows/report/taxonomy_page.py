"""The page of a taxonomy: skills by category, coverage, near-duplicates and findings. One file without scripts."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from skillmill.data.files import write_atomic
from skillmill.flows.report.coverage import Coverage, by_category
from skillmill.skill_taxonomy.curation.check import find_faults
from skillmill.skill_taxonomy.curation.duplicates import find_duplicates
from skillmill.skill_taxonomy.curation.similarity import LEXICAL, skill_vectors
from skillmill.skill_taxonomy.taxonomy import Taxonomy

# Text of a teacher is escaped wherever it enters the page.
_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


def write_page(taxonomy: Taxonomy, coverage: Coverage | None, path: Path) -> None:
    """Write the page to `path`. Raises `StoreError` if it cannot be written."""
    write_atomic(path, page(taxonomy, coverage).encode())


def page(taxonomy: Taxonomy, coverage: Coverage | None) -> str:
    """Return the page as HTML; without `coverage` it has no numbers of rows."""
    categories: list[dict[str, Any]] = []
    for name, skills in by_category(taxonomy).items():
        counts = [coverage.of(skill) if coverage else (0, 0) for skill in skills]
        categories.append(
            {
                "name": name,
                "skills": [(skill, rows, accepted) for skill, (rows, accepted) in zip(skills, counts, strict=True)],
                "held_out": sum(skill.split != "train" for skill in skills),
                "covered": sum(rows > 0 for rows, _ in counts),
                "rows": sum(rows for rows, _ in counts),
            }
        )
    duplicates = find_duplicates(taxonomy.skills, skill_vectors(taxonomy.skills, LEXICAL))
    groups = [([taxonomy.skills[place] for place in group.places], group.why, group.similarity) for group in duplicates]
    return _environment.get_template("taxonomy.html").render(
        taxonomy=taxonomy,
        categories=categories,
        most=max(len(category["skills"]) for category in categories),
        busiest=max((rows for category in categories for _, rows, _ in category["skills"]), default=0),
        coverage=coverage,
        groups=groups,
        findings=find_faults(taxonomy),
    )
