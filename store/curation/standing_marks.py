"""The decisions and tags that stand: of each thing the latest one whose action is not undone. Queries alone."""

from __future__ import annotations

_STANDS = "coalesce(action_id, '') NOT IN (SELECT id FROM actions WHERE undone_at IS NOT NULL)"

STANDING_DECISIONS = f"""
SELECT target_id, verdict, rule, reason, actor, created_at, action_id FROM decisions
WHERE project_id = ? AND {_STANDS}
QUALIFY row_number() OVER (PARTITION BY target_id ORDER BY id DESC) = 1
"""

STANDING_TAGS = """
SELECT target_id, tag, actor, created_at, action_id FROM (
    SELECT t.target_id, t.tag, t.action_id, a.kind, a.actor, a.created_at
    FROM tags AS t JOIN actions AS a ON a.id = t.action_id
    WHERE t.project_id = ? AND a.undone_at IS NULL
    QUALIFY row_number() OVER (PARTITION BY t.target_id, t.tag ORDER BY t.id DESC) = 1
) WHERE kind = 'tag'
"""

SELECT_DROPPED = f"""
SELECT target_id FROM decisions WHERE project_id = $project AND {_STANDS}
GROUP BY target_id HAVING arg_max(verdict, id) = 'drop'
"""
"""The ids of examples and candidates that are dropped now; takes `$project`."""
