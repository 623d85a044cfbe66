"""The steps of a run as plain functions: each opens the workspace, does its part, leaves it on the disk.

Prefect's tasks call these and so does the command line: nothing here knows of Prefect.
"""
