"""The steps of a run as plain functions: each opens the workspace, does its work and stores the result.

Prefect tasks and the command line call the same functions; nothing here imports Prefect.
"""
