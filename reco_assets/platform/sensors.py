"""What sensors ask of Dagster before they start a run."""

import dagster as dg

_UNDER_WAY = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]


def under_way(context: dg.SensorEvaluationContext, job: str) -> bool:
    """Whether a run of ``job`` waits for its turn, starts or works."""
    return context.instance.get_runs_count(dg.RunsFilter(job_name=job, statuses=_UNDER_WAY)) > 0
