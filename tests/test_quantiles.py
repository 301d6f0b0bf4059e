import pytest

from pom_cli.quantiles import median, percentile


@pytest.mark.parametrize(
    ("values", "middle"), [([3], 3.0), ([1, 9], 5.0), ([9, 1, 2], 2.0), ([4, 1, 3, 2], 2.5), ([], None)]
)
def test_the_median_is_the_middle(values: list[int], middle: float | None) -> None:
    assert median(values) == middle


@pytest.mark.parametrize(
    ("values", "percent", "value"),
    [
        ([], 95, None),
        ([7], 95, 7),
        ([1, 2, 3, 4], 50, 2),
        ([1, 2, 3, 4], 51, 3),
        (list(range(1, 101)), 95, 95),
        ([1, 2], 0, 1),
        ([1, 2], 100, 2),
    ],
)
def test_a_percentile_is_the_smallest_that_so_many_do_not_exceed(
    values: list[int], percent: float, value: float | None
) -> None:
    assert percentile(values, percent) == value
