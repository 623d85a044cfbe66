"""Tasks for two evaluation tools: held-out Skill-Mix for inspect_ai, skills with a rule for lm-evaluation-harness.

Both tools ask the model and keep the logs. Cells, prompts, grading and metrics are those of `skillmill evaluate`.
"""

from pathlib import Path

LM_EVAL_TASKS = Path(__file__).parent / "lm_eval_tasks"
"""The folder for `lm_eval --include_path`."""
