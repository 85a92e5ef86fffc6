"""What a filter means in DuckDB's SQL, condition by condition."""

#: A condition on a request's environment, by what kind of row is asked.
ENVIRONMENT_IS = {
    "rollup": "c.environment = $environment",
    **dict.fromkeys(
        ("request", "receipt", "dropped"),
        "c.instance_id in (select id from instance where environment = $environment)",
    ),
}

#: Conditions of a filter that stand for themselves, for rollups and requests alike …
TERMS = {
    "outcome": "c.outcome = $outcome",
    "errors": "(c.status >= 500 or c.outcome = 2)",
}
#: … and those that only single requests can answer.
SINGLE_TERMS = {
    "duration_from_us": "c.duration_us >= $duration_from_us",
    "duration_to_us": "c.duration_us < $duration_to_us",
    "instance": "c.instance_id in (select id from instance where wire_id = $instance)",
    "consumer": "c.consumer = $consumer",
    "trace_id": "c.trace_id = $trace_id",
    "whole_path": "coalesce(c.path = $whole_path, "
    "c.operation_id in (select id from operation where route = $whole_path))",
    # Where it is not written it equals the route.
    "path": "coalesce(contains(c.path, $path), "
    "c.operation_id in (select id from operation where contains(route, $path)))",
}
RELEASE_IS = {
    "rollup": "c.release = $release",
    "request": "c.instance_id in (select id from instance where release = $release)",
}

#: The threshold of a cell's operation.
OWN_THRESHOLD = (
    "coalesce(list_extract($own_us::bigint[], "
    "list_position($own_operations::integer[], operation_id)), $apdex_us)"
)
