"""The trees give what LightGBM's give, and the contributions of their features add up."""

from typing import Any

import lightgbm
import numpy as np
import pytest
from numpy.typing import NDArray

from skillmill.filters.shirker.features.all_features import FEATURES
from skillmill.filters.shirker.training import fit_trees
from skillmill.filters.shirker.tree_model import TreeModel

NODES = [["log_words", 2.0, 1, 2, 0.0], [1.5], ["log_lines", 1.0, 3, 4, -0.5], [-1.0], [0.25]]


def rows(count: int = 400) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(count, len(FEATURES)))
    return features, (features[:, 0] * features[:, 1] > 0).astype(np.int64)


def test_trained_trees_predict_what_lightgbm_predicts(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[lightgbm.Booster] = []
    train = lightgbm.train

    def keep(*arguments: Any) -> lightgbm.Booster:
        fitted.append(train(*arguments))
        return fitted[-1]

    monkeypatch.setattr(lightgbm, "train", keep)
    features, low = rows()
    model = fit_trees(features, low, np.ones(len(low)))
    assert model.probability(features) == pytest.approx(np.asarray(fitted[0].predict(features)), abs=1e-4)
    assert model.probability(features).std() > 0.1


def test_each_row_reaches_one_leaf() -> None:
    model = TreeModel.of_stored({"intercept": 0.5, "trees": [NODES, [[0.125]]]})
    features = np.zeros((3, len(FEATURES)))
    features[:, FEATURES.index("log_words")] = 2.0, 2.1, 3.0
    features[:, FEATURES.index("log_lines")] = 5.0, 1.0, 1.1
    assert model.log_odds(features).tolist() == [2.125, -0.375, 0.875]


def test_contributions_add_up_to_the_log_odds() -> None:
    features, low = rows()
    model = fit_trees(features, low, np.ones(len(low)))
    roots = sum(tree.values[0] for tree in model.trees)
    total = model.intercept + roots + model.contributions(features).sum(axis=1)
    assert total == pytest.approx(model.log_odds(features))


@pytest.mark.parametrize(
    "nodes",
    [
        [["unknown", 0.0, 1, 2, 0.0], [1.0], [2.0]],
        [["log_words", 0.0, 0, 1, 0.0], [1.0]],
        [["log_words", 0.0, 1, 9, 0.0], [1.0]],
        [["log_words", 0.0]],
    ],
)
def test_nodes_that_are_no_tree_are_an_error(nodes: list[list[object]]) -> None:
    with pytest.raises((ValueError, TypeError)):
        TreeModel.of_stored({"intercept": 0.0, "trees": [nodes]})
