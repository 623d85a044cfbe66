"""Grading: a model or a set of rules gives points to a row that all filters accepted, by a rubric.

The filters in `filters/apply.py` decide a row from its text without a model; grading runs after them and adds `grade`,
which only the filter `low_grade` turns into a verdict. Begin with `grade` in `grade.py`, which grades one row;
`comparison.py` is separate and decides which of two answers to the same request is better.
"""
