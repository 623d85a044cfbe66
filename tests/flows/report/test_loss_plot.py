"""The plot of a training in the report."""

from skillmill.flows.report.loss_plot import HEIGHT, MARGIN, WIDTH, loss_plots


def test_losses_and_measurements_share_an_axis() -> None:
    facts = {"losses": [2.0, 1.0, 1.5], "steps": 6, "measure": "loss", "held_out": [[0, 2.5], [6, 0.5]]}
    [plot] = loss_plots({"train_sft": facts})
    low, high = HEIGHT - MARGIN, MARGIN
    assert plot.axis == (0.5, 2.5) and plot.measured == ((0, 2.5), (6, 0.5))
    assert plot.marks == ((MARGIN, high), (WIDTH - MARGIN, low))
    assert [x for x, _ in plot.line] == [round(MARGIN + (WIDTH - 2 * MARGIN) * i / 3, 1) for i in (1, 2, 3)]
    assert all(high < y < low for _, y in plot.line)


def test_rewards_have_an_axis_of_their_own_and_old_results_none() -> None:
    facts = {"losses": [0.0], "steps": 2, "measure": "reward", "held_out": [[0, 1.0], [2, 3.0]]}
    grpo, sft = {"train_grpo": facts}, {"train_sft": {"losses": [1.0, 1.0]}}
    plots = loss_plots({**grpo, **sft})
    assert [plot.method for plot in plots] == ["sft", "grpo"]
    assert plots[1].axis == (0.0, 0.0) and [y for _, y in plots[1].marks] == [HEIGHT - MARGIN, MARGIN]
    assert plots[0].marks == () and plots[0].measure == "loss"
    assert loss_plots({"train_sft": {"losses": []}}) == [] == loss_plots({})
