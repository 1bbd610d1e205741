"""The Rounds page: plan, preflight, start, watch, stop, continue, and how a run did. A module a part."""
