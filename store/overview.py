"""The live counts on the picture of the loop."""

from __future__ import annotations

from datetime import datetime, time

from pitchpipe.store.database import Store, utc_now
from pitchpipe.store.projects import get_project
from pitchpipe.store.queue.queueing import SERVED_KINDS
from pitchpipe.store.records import LoopCounts

_COUNT_LOOP = f"""
WITH slots AS (
    SELECT task_id, count(*) AS taken FROM assignments WHERE project_id = $project AND leased_until IS NULL GROUP BY 1
), open_tasks AS (
    SELECT t.batch FROM tasks AS t LEFT JOIN slots AS s ON s.task_id = t.id
    WHERE t.project_id = $project AND coalesce(s.taken, 0) < t.overlap AND t.kind IN {SERVED_KINDS}
      AND t.purpose IS NULL
)
SELECT (SELECT count(*) FROM examples WHERE project_id = $project),
       (SELECT count(*) FROM examples AS e JOIN group_splits AS g
            ON g.project_id = e.project_id AND g.group_id = e.group_id
        WHERE e.project_id = $project AND g.split = 'holdout'),
       (SELECT count(*) FROM candidates WHERE project_id = $project),
       (SELECT count(*) FROM tasks WHERE project_id = $project),
       (SELECT count(*) FROM open_tasks),
       (SELECT count(*) FROM assignments WHERE project_id = $project AND leased_until IS NULL),
       (SELECT count(*) FROM assignments WHERE project_id = $project AND leased_until IS NULL AND claimed_at >= $today
            AND token <> 'import'),
       (SELECT count(DISTINCT annotator) FROM assignments WHERE project_id = $project AND leased_until IS NULL),
       (SELECT count(*) FROM snapshots WHERE project_id = $project),
       (SELECT arg_max(name, created_at) FROM snapshots WHERE project_id = $project),
       (SELECT count(*) FROM runs WHERE project_id = $project),
       (SELECT count(*) FROM open_tasks WHERE batch <> '')
"""


def count_loop(store: Store, project_name: str) -> LoopCounts:
    """The numbers of a project now, from what came in to what waits for review."""
    today = datetime.combine(utc_now().date(), time())
    project = get_project(store, project_name)
    return LoopCounts(*store.read(_COUNT_LOOP, {"project": project.id, "today": today})[0])
