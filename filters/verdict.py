"""The result of one filter for one sample."""

from dataclasses import dataclass, field

from skillmill.data.reasons import Reason


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of one filter for one sample; a sample with any reason is rejected.

    `signals` are the numbers that the filter measured, by name. A filter gives them for accepted samples too.
    """

    reasons: tuple[Reason, ...] = ()
    signals: dict[str, float] = field(default_factory=dict)
