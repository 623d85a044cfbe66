"""Reasons are strings with an explanation."""

import copy
import pickle

import orjson

from skillmill.data import reasons
from skillmill.data.reasons import COMMON_REASONS, TRANSPORT, PairReason, Reason


def test_a_reason_is_the_string_that_is_stored() -> None:
    assert TRANSPORT == "transport" and type(str(TRANSPORT)) is str
    assert orjson.dumps([TRANSPORT]) == b'["transport"]'


def test_copies_keep_the_explanation() -> None:
    for same in (pickle.loads(pickle.dumps(TRANSPORT)), copy.deepcopy(TRANSPORT)):
        assert same == TRANSPORT and same.explanation == TRANSPORT.explanation


def test_all_common_reasons_are_listed() -> None:
    assert set(COMMON_REASONS) == {value for value in vars(reasons).values() if isinstance(value, Reason)}


def test_every_pair_reason_is_explained() -> None:
    assert all(reason.explanation for reason in PairReason)
