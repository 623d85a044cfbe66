"""The errors that stop a command. A bad row is no error: it is stored with a `Reason`."""


class SkillmillError(Exception):
    """Stops the command with its message on standard error and with `exit_code`."""

    exit_code = 1


class ConfigError(SkillmillError):
    """A wrong configuration or command line; the message names the key and what was expected."""

    exit_code = 2


class StoreError(SkillmillError):
    """A file in the output directory cannot be read or written, is damaged, or has the wrong format."""


class TeacherError(SkillmillError):
    """The teacher cannot be used at all, e.g. no server answers, the API key is refused, the weights are damaged."""
