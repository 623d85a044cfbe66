"""Print the folder for `lm_eval --include_path "$(python -m skillmill.flows.harnesses)"`."""

from skillmill.flows.harnesses import LM_EVAL_TASKS

print(LM_EVAL_TASKS)
