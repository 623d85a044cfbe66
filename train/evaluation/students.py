"""Which model a name of a student means, and whether student and baseline can be compared."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.teachers.build import check_teacher
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.embedded_model.safetensors import EMBEDDED
from skillmill.teachers.engines import TRANSFORMERS
from skillmill.teachers.engines.vllm_process.model import LORA
from skillmill.train.evaluation.adapter_base import check_adapter_base
from skillmill.train.evaluation.config import (
    BASE,
    LAST,
    BaselineModel,
    EvaluateConfig,
    EvaluatedConfig,
    Role,
    StudentModel,
)
from skillmill.train.result import MARKER
from skillmill.train.student import student_path

ADAPTER, MODEL = "adapter_config.json", "config.json"
"""The files that mark the folder of an adapter and of a model."""
ROLES: dict[Role, type[EvaluatedConfig]] = {"student": StudentModel, "baseline": BaselineModel}


@dataclass(frozen=True)
class Evaluated:
    """A model to evaluate. `folder`: the result of a training, None for other models. `base`: what it was trained from.

    `base` is None for the embedded student, and for models of unknown origin.
    """

    role: Role
    model: TeacherConfig
    folder: Path | None = None
    base: str | None = None


def find_students(
    settings: EvaluateConfig, results: Path, trained_student: str | None
) -> tuple[Evaluated, Evaluated | None]:
    """Return student and baseline, both checked without loading their weights.

    `results` is the folder of trainings, `trained_student` the value of `train.student`. Raises `ConfigError` or
    `TeacherError` that names the key.
    """
    student = _find("student", settings.student, settings, results, trained_student)
    baseline = None
    if settings.baseline is not None:
        base = student.base if student.folder else trained_student
        baseline = _find("baseline", settings.baseline, settings, results, base, template_of=student)
    _check_bases(student, trained_student)
    for each in filter(None, (student, baseline)):
        check_teacher(each.model)
    if baseline and baseline.model.model_dump() == student.model.model_dump():
        raise ConfigError(f"evaluate.baseline: expected another model than the student, got {settings.baseline!r}")
    return student, baseline


def _find(
    role: Role,
    name: str | EvaluatedConfig,
    settings: EvaluateConfig,
    results: Path,
    base: str | None,
    template_of: Evaluated | None = None,
) -> Evaluated:
    if isinstance(name, EvaluatedConfig):
        common = {"sampling": settings.sampling, "max_in_flight": settings.max_in_flight}
        missing = {key: value for key, value in common.items() if key not in name.model_fields_set}
        return Evaluated(role, name.model_copy(update=missing))
    if name == BASE:
        return Evaluated(role, _base_model(role, settings, base, template_of), base=base)
    path = _newest(role, results) if name == LAST else Path(name).expanduser()
    if path.is_file():
        if path.suffix != ".gguf":
            raise ConfigError(f"evaluate.{role}: {path} is a file, expected a folder of a model, or a .gguf file")
        return Evaluated(role, _model(role, settings, kind="embedded", model=str(path), engine_args={}))
    if not path.is_dir() and (path.is_absolute() or str(name).startswith((".", "~"))):
        raise ConfigError(f"evaluate.{role}: there is no folder {path}")
    if (path / ADAPTER).is_file():
        return _adapter(role, path, settings)
    if path.is_dir() and not (path / MODEL).is_file():
        raise ConfigError(f"evaluate.{role}: {path} holds neither {MODEL} nor {ADAPTER}, expected a trained model")
    try:
        model = student_path(str(path) if path.is_dir() else name)
    except ConfigError as error:
        raise ConfigError(str(error).replace("train.student", f"evaluate.{role}", 1)) from None
    folder = path if (path / MARKER).is_file() else None
    origin = _recorded(path).get("student") if folder else None
    base = None if origin == EMBEDDED else origin
    return Evaluated(role, _model(role, settings, model=model), folder, base)


def _newest(role: Role, results: Path) -> Path:
    """Return the newest finished training. Raises `SkillmillError` if there is none."""
    finished = sorted(
        results.glob(f"[!.]*/{MARKER}"), key=lambda marker: (marker.stat().st_mtime_ns, marker.parent.name)
    )
    if not finished:
        raise SkillmillError(
            f"evaluate.{role}: {results} holds no trained student; run `skillmill train sft` first, or name one with "
            f"--{role}"
        )
    return finished[-1].parent


def _adapter(role: Role, path: Path, settings: EvaluateConfig) -> Evaluated:
    """Return the model of an adapter's folder: the model that the adapter was made on, with the adapter."""
    own = str(_json(path / ADAPTER).get("base_model_name_or_path"))
    origin = _recorded(path).get("student") or own
    base = None if origin == EMBEDDED else origin
    # An adapter on a model that SFT trained has that result as its base, which may have moved with its own folder.
    moved = path.parent / Path(own).name
    places = [each for each in (Path(own).expanduser(), moved) if (each / MODEL).is_file()]
    try:
        model = student_path(str(places[0]) if places else base)
    except ConfigError as error:
        words = str(error).removeprefix("train.student: ")
        raise ConfigError(f"evaluate.{role}: the base model of the adapter {path} is not here: {words}") from None
    check_adapter_base(role, path, model)
    return Evaluated(role, _model(role, settings, model=model, lora=str(path)), path, base)


def _base_model(role: Role, settings: EvaluateConfig, base: str | None, template_of: Evaluated | None) -> TeacherConfig:
    """Return the untrained student. If it has no chat template, it gets that of the trained one."""
    model = student_path(base)
    folder = template_of.folder if template_of else None
    if folder is None or settings.engine != TRANSFORMERS or _has_template(Path(model)):
        return _model(role, settings, model=model)
    return _model(role, settings, model=model, tokenizer=str(folder))


def _has_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file():
        return True
    tokenizer = folder / "tokenizer_config.json"
    return not folder.is_dir() or (tokenizer.is_file() and bool(_json(tokenizer).get("chat_template")))


def _model(role: Role, settings: EvaluateConfig, **changes: Any) -> TeacherConfig:
    """Return the settings of a model that is given by name. `lora` and `tokenizer` go into `engine_args`."""
    arguments = {**settings.engine_args, **{key: changes.pop(key) for key in (LORA, "tokenizer") if key in changes}}
    values: dict[str, Any] = {
        "kind": settings.engine,
        "engine_args": arguments,
        "max_in_flight": settings.max_in_flight,
        "sampling": settings.sampling,
        **changes,
    }
    return ROLES[role].model_validate(values)


def _check_bases(student: Evaluated, trained_student: str | None) -> None:
    """Raise `ConfigError` if the student was trained from another model than `train.student`."""
    if student.folder is None:
        return
    recorded = _recorded(student.folder).get("student")
    expected = trained_student or EMBEDDED
    if recorded is not None and recorded != expected:
        raise ConfigError(
            f"evaluate.student: {student.folder} was trained from {recorded}, and train.student is {expected}; "
            "expected an adapter of the same base"
        )


def _recorded(folder: Path) -> dict[str, Any]:
    """Return the result that `train.json` records, {} if there is none."""
    marker = _json(folder / MARKER) if (folder / MARKER).is_file() else {}
    return marker.get("result") or {}


def _json(path: Path) -> dict[str, Any]:
    try:
        content = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        raise ConfigError(f"evaluate: {path} is not JSON, expected a model that transformers saved") from None
    return content if isinstance(content, dict) else {}
