"""`teacher.serve`: a command of the user that serves the model, started and ended with the run."""
