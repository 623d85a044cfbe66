"""The facts of the dataset card, from the configuration, the taxonomy and the plan."""

from pathlib import Path

from skillmill.data.export.card.facts import CardFacts, CheckFacts, ModelFacts, TaxonomyFacts
from skillmill.data.inputs.datasets import is_data_file, is_url
from skillmill.filters.config import FiltersConfig
from skillmill.filters.rows.language import LANGUAGES
from skillmill.flows.config import Config
from skillmill.skill_taxonomy.sources import TaxonomyConfig
from skillmill.skill_taxonomy.taxonomy import Taxonomy
from skillmill.teachers.build import teacher_name
from skillmill.teachers.config import TeacherConfig
from skillmill.train.evaluation.model_card import evaluation_text
from skillmill.train.evaluation.outputs import read_metrics

DEFAULT_LANGUAGE = "English"


def card_facts(config: Config, taxonomy: Taxonomy, plans: tuple[str, ...]) -> CardFacts:
    """Return what the dataset card says about the run of `config`, whose export has the plans `plans`."""
    return CardFacts(
        name=config.name,
        kind=config.generation.kind,
        k=config.generation.k,
        seed=config.seed,
        teacher=_model(config.teacher),
        grader=_model(config.grader) if config.grader and config.grading.when != "never" else None,
        taxonomy=_taxonomy(taxonomy),
        plans=plans,
        languages=tuple(LANGUAGES[name][0] for name in config.generation.language or [DEFAULT_LANGUAGE]),
        source_datasets=_source_datasets(config.taxonomy),
        checks=_checks(config.filters),
        validation=config.export.validation,
        formats=config.export.formats,
        thinking=config.export.thinking,
        evaluation=evaluation_text(metrics) if (metrics := read_metrics(config.output)) else "",
    )


def _model(config: TeacherConfig) -> ModelFacts:
    revision = config.engine_args.get("revision")
    return ModelFacts(teacher_name(config), config.license, str(revision) if revision else None)


def _taxonomy(taxonomy: Taxonomy) -> TaxonomyFacts:
    skills: dict[str, tuple[str, ...]] = {}
    for skill in taxonomy.skills:
        skills[skill.category] = (*skills.get(skill.category, ()), skill.name)
    topics, query_types = (tuple(each.name for each in entries) for entries in (taxonomy.topics, taxonomy.query_types))
    return TaxonomyFacts(taxonomy.name, taxonomy.source, skills, topics, query_types, taxonomy.license)


def _source_datasets(config: TaxonomyConfig) -> tuple[str, ...]:
    """Return the Hub's values for the dataset that the skills are from. Paths of this machine are not published."""
    name = config.dataset if config.source == "dataset" else None
    if name is None or is_url(name) or is_data_file(name) or Path(name).exists():
        return ("original",)
    return ("original", f"extended|{name}")


def _checks(filters: FiltersConfig) -> CheckFacts:
    contamination, duplicates = filters.contamination, filters.near_duplicates
    return CheckFacts(
        near_duplicates=duplicates.threshold if duplicates.enabled else None,
        evaluation_sets=tuple(each.name for each in contamination.sets) if contamination.enabled else (),
        shared_words=contamination.drop,
        masked=filters.safety.enabled,
    )
