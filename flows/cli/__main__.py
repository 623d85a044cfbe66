"""Entry point of `python -m skillmill.flows.cli`."""

from skillmill.flows.cli.main import main

main()
