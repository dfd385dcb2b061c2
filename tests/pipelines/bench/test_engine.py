from distributed import Client

from pipelines.bench.engine import _noop
from pipelines.engine.loop import Report, Task, run_tasks


def test_the_task_does_nothing_wherever_it_runs(client: Client) -> None:
    assert _noop(3) == Report(stage="noop", partition="3")
    tasks = [Task(stage="noop", partition=f"{number}", call=_noop, args=(number,)) for number in range(9)]
    assert {report.partition for report in run_tasks(client, tasks, window=4)} == set("012345678")
