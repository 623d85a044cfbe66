"""What can stop a run. A bad row never does: it is a value with a `Reason`."""


class SkillmillError(Exception):
    """Stops the command with one clear line on standard error and `exit_code`."""

    exit_code = 1


class ConfigError(SkillmillError):
    """Bad usage or configuration: the message names the key and what was expected."""

    exit_code = 2


class StoreError(SkillmillError):
    """The output directory cannot be read or written, or holds something that does not fit."""


class TeacherError(SkillmillError):
    """The teacher cannot answer at all: not there, refused the key, weights damaged."""
