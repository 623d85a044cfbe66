"""The tokenizer of a training, with its chat template. A later stage takes it over from the stage that it continues.

Each result folder contains the tokenizer that its model was trained with, so that `AutoTokenizer.from_pretrained` and
`apply_chat_template` work with the folder alone.
"""

from pathlib import Path
from typing import Any

from skillmill.data.errors import ConfigError
from skillmill.train.config import TEMPLATE
from skillmill.train.job import Job
from skillmill.train.presets import BUILTIN_TEMPLATES, template_file
from skillmill.train.student import student_name
from skillmill.train.trl_arguments import one_line

TEMPLATE_FILES = (".jinja", ".j2")
"""The names of files that `chat_template_path` reads as a template. TRL takes any other value as a model's name."""


def load_tokenizer(job: Job, student: str) -> Any:
    """Return the tokenizer of the training that the job continues, or else of the student.

    Raises `ConfigError` if there is none, or if neither it nor `chat_template_path` has a chat template.
    """
    from transformers import AutoTokenizer

    source = str(job.start.path) if job.start else student
    name = source if job.start else student_name(job.student)
    key = f"train.{job.stage}" if job.start else "train.student"
    try:
        tokenizer = AutoTokenizer.from_pretrained(source)
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise ConfigError(f"{key}: {name} has no tokenizer that can be loaded ({one_line(error)[:200]})") from error
    if not len(tokenizer):
        raise ConfigError(f"{key}: {name} has no tokenizer, expected tokenizer.json beside config.json")
    if tokenizer.chat_template is None and not _template_path(job):
        sft = "set" if job.stage == "sft" else "train SFT first with"
        raise ConfigError(
            f"{key}: the tokenizer of {name} has no chat template; {sft} train.sft.args.chat_template_path: "
            f"{', '.join(BUILTIN_TEMPLATES)}, a .jinja file, or a model that has a template"
        )
    return tokenizer


def check_added_tokens(job: Job, student: str, tokenizer: Any) -> None:
    """Raise `ConfigError` if `chat_template_path` adds tokens that the adapter cannot train.

    TRL trains the rows of new tokens in the embeddings and the output layer. PEFT cannot if these are one matrix.
    """
    path = _template_path(job)
    if job.settings.lora is None or not path or (path.endswith(TEMPLATE_FILES) and Path(path).is_file()):
        return
    from transformers import AutoConfig, AutoTokenizer

    key = f"train.{job.stage}.args.chat_template_path"
    try:
        source = AutoTokenizer.from_pretrained(path)
    except (ValueError, OSError) as error:
        raise ConfigError(f"{key}: {path} is neither a .jinja file nor a model with a tokenizer") from error
    added = sorted(source.get_added_vocab().keys() - tokenizer.get_vocab().keys())
    if added and AutoConfig.from_pretrained(student).get_text_config().tie_word_embeddings:
        raise ConfigError(
            f"{key}: adds the token {added[0]}, which no adapter can train in a student with tied embeddings; "
            f"give a .jinja file without new tokens, or set train.{job.stage}.lora to null"
        )


def check_adapter_tokens(stage: str, student: str, tokenizer: Any) -> None:
    """Raise `ConfigError` if the tokenizer of an SFT adapter, which `stage` is to continue, has tokens that are new.

    TRL's reference model lacks the adapter's rows for new tokens, so it would differ from the policy from the start.
    """
    from transformers import AutoTokenizer

    if len(tokenizer.vocab) != len(AutoTokenizer.from_pretrained(student).vocab):
        raise ConfigError(
            f"train.{stage}: cannot continue an SFT adapter with new tokens; give train.sft.args.chat_template_path a "
            ".jinja file without new tokens, or set train.sft.lora to null"
        )


def _template_path(job: Job) -> str | None:
    path = job.settings.args.get(TEMPLATE)
    return template_file(str(path)) if path is not None else None
