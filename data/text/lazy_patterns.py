"""Regular expressions that are compiled at their first use.

A command imports many modules whose patterns it may never need. To compile those that every run imports takes 0.1 s of
CPU before its first request.
"""

import re
from typing import Any, cast


class _Uncompiled:
    """Stands for a pattern. The first access compiles it and copies its attributes, so that later ones cost nothing."""

    def __init__(self, pattern: str, flags: int) -> None:
        self.pattern, self._flags = pattern, flags

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        compiled = re.compile(self.pattern, self._flags)
        vars(self).update({each: getattr(compiled, each) for each in dir(compiled) if not each.startswith("__")})
        return getattr(compiled, name)


def lazy_pattern(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """Return an object with the methods and attributes of the compiled pattern.

    It is no `re.Pattern` for `isinstance` and for functions of `re`. A pattern that is not valid raises `re.error` at
    its first use.
    """
    return cast(re.Pattern[str], _Uncompiled(pattern, flags))
