"""Prefect flows with a form of parameters, and their deployment."""
