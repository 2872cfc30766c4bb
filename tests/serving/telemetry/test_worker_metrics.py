"""The combined metrics of several processes, of which some have ended."""

from http.client import IncompleteRead

from serving.telemetry.worker_metrics import SummedMetrics


def test_a_process_that_ends_while_it_answers_keeps_its_last_counts() -> None:
    answers = iter(["# TYPE c counter\nc_total 2.0\n"])

    def fetch(_: str) -> str:
        for answer in answers:
            return answer
        raise IncompleteRead(b"# TYPE c coun")

    summed = SummedMetrics(lambda: ["a"], fetch)
    for _ in range(2):
        assert [family.samples[0].value for family in summed.collect()] == [2.0]


def test_the_sum_keeps_the_counts_of_a_process_that_has_ended() -> None:
    pages = {
        "a": '# TYPE c counter\nc_total{x="1"} 2.0\n# TYPE g gauge\ng 5.0\n',
        "b": '# TYPE c counter\nc_total{x="1"} 3.0\nc_total{x="2"} 1.0\n# TYPE g gauge\ng 4.0\n',
    }
    live_pages = ["a", "b"]
    summed = SummedMetrics(lambda: live_pages, fetch=lambda page: pages[page])

    def numbers() -> dict[tuple[str, ...], float]:
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in summed.collect()
            for sample in family.samples
        }

    assert numbers() == {("c_total", "1"): 5.0, ("c_total", "2"): 1.0, ("g",): 5.0}
    live_pages.remove("a")
    assert numbers() == {("c_total", "1"): 5.0, ("c_total", "2"): 1.0, ("g",): 4.0}
