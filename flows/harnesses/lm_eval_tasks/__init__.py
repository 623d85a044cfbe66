"""The folder for `lm_eval --include_path`: Skill-Mix on skills with a rule, without a model that grades."""
