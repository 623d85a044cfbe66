"""The metadata of the dataset card, which the Hub and `datasets` read."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from skillmill.data.export.card.escaping import plain_line
from skillmill.data.export.card.facts import CardFacts
from skillmill.data.export.files import Contents

if TYPE_CHECKING:
    from huggingface_hub import DatasetCardData

DEFAULT = "sft"
TAGS = ("synthetic", "skill-mix", "skillmill")
_SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M")


def card_header(facts: CardFacts, checksum: str, contents: Mapping[str, Contents]) -> str:
    """Return the metadata of the card as YAML; `contents` has the files of each configuration.

    The checksum is part of each configuration, because `datasets` identifies a cached configuration by its metadata
    alone. With equal metadata it would load the rows of an earlier export. White space in the name becomes one space,
    because YAML does not keep every kind of line break.
    """
    from huggingface_hub import DatasetCardData  # imported here because the import takes 0.2 s

    data = DatasetCardData(
        pretty_name=plain_line(facts.name),
        license=facts.teacher.license,
        language=list(facts.languages),
        size_categories=[size_category(sum(contents[DEFAULT].rows.values()))],
        task_categories=["text-generation"],
        annotations_creators=["machine-generated"],
        source_datasets=list(facts.source_datasets),
        tags=list(TAGS),
        configs=[
            {
                "config_name": name,
                "description": f"sha256 {checksum}",
                **({"default": True} if name == DEFAULT else {}),
                "data_files": [{"split": split, "path": f"{name}/{split}-*.parquet"} for split in content.rows],
            }
            for name, content in contents.items()
        ],
    )
    _add_dataset_info(data, contents)
    return data.to_yaml()


def size_category(rows: int) -> str:
    """Return the Hub's name for a number of rows, such as "1K<n<10K"."""
    return _SIZES[min(max(len(str(rows)) - 3, 0), len(_SIZES) - 1)]


def _add_dataset_info(data: "DatasetCardData", contents: Mapping[str, Contents]) -> None:
    """Add the features, rows and bytes of each configuration and split, in the form of `datasets`."""
    from datasets import DatasetInfo, Features, SplitDict, SplitInfo  # the import takes a second
    from datasets.info import DatasetInfosDict

    infos = DatasetInfosDict()
    for name, content in contents.items():
        splits = SplitDict()
        for split, rows in content.rows.items():
            splits.add(SplitInfo(split, num_bytes=content.bytes[split], num_examples=rows))
        infos[name] = DatasetInfo(
            features=Features.from_arrow_schema(content.schema),
            splits=splits,
            download_size=content.file_bytes,
            dataset_size=sum(content.bytes.values()),
            config_name=name,
        )
    infos.to_dataset_card_data(data)
