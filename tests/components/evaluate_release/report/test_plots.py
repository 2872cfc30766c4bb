"""Tests of the report's plots."""

from components.evaluate_release.report.plots import reliability


def test_the_reliability_of_probabilities_within_a_decade_has_plain_numbers_at_its_axes() -> None:
    points = [{"predicted": p, "observed": p, "low": 0.9 * p, "high": 1.1 * p} for p in (0.06, 0.12, 0.4)]
    canvas = reliability(points)
    assert canvas is not None
    canvas.draw_without_rendering()
    (axes,) = canvas.axes
    for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        shown = [
            label.get_text()
            for label, place in zip(axis.get_ticklabels(), axis.get_ticklocs(), strict=True)
            if low <= place <= high
        ]
        assert shown == ["5", "10", "20"]


def test_there_is_no_plot_without_points() -> None:
    assert reliability([]) is None
