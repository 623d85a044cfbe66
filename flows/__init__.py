"""Configuration, the row runner, the Prefect flows that join the rooms, command line and report."""
