"""The taxonomy as one page: hierarchy, counts, near-duplicates, findings, coverage. No scripts, no network."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from skillmill.data.files import write_atomic
from skillmill.flows.report.coverage import Coverage, by_category
from skillmill.skill_taxonomy.curation.check import find_faults
from skillmill.skill_taxonomy.curation.duplicates import find_duplicates
from skillmill.skill_taxonomy.curation.similarity import LEXICAL, skill_vectors
from skillmill.skill_taxonomy.taxonomy import Taxonomy

# Teacher text is data: everything that enters the page is escaped.
_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


def write_page(taxonomy: Taxonomy, coverage: Coverage | None, path: Path) -> None:
    """Write the page to `path`. Raises `StoreError`."""
    write_atomic(path, page(taxonomy, coverage).encode())


def page(taxonomy: Taxonomy, coverage: Coverage | None) -> str:
    """The page as HTML."""
    categories: list[dict[str, Any]] = []
    for name, skills in by_category(taxonomy).items():
        rows = [coverage.of(skill) if coverage else (0, 0) for skill in skills]
        categories.append(
            {
                "name": name,
                "skills": [(skill, *counts) for skill, counts in zip(skills, rows, strict=True)],
                "held": sum(skill.split != "train" for skill in skills),
                "covered": sum(count > 0 for count, _ in rows),
                "rows": sum(count for count, _ in rows),
            }
        )
    alike = find_duplicates(taxonomy.skills, skill_vectors(taxonomy.skills, LEXICAL))
    groups = [([taxonomy.skills[place] for place in group.places], group.why, group.similarity) for group in alike]
    return _environment.get_template("taxonomy.html").render(
        taxonomy=taxonomy,
        categories=categories,
        most=max(len(category["skills"]) for category in categories),
        busiest=max((rows for category in categories for _, rows, _ in category["skills"]), default=0),
        coverage=coverage,
        groups=groups,
        findings=find_faults(taxonomy),
    )
