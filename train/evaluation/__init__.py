"""Skill-Mix metrics of tables of graded texts."""
