-- Of requests that are no errors: how many took up to @threshold, and how many up to four times as long. A cell of
-- several requests counts by its bucket, the only one of them by its own duration.
coalesce(sum(requests) filter (
    status < 500 and outcome <> 2 and if(requests = 1, duration_us <= @threshold, bucket <= @within)
), 0)::bigint as satisfied,
coalesce(sum(requests) filter (
    status < 500 and outcome <> 2 and if(
        requests = 1, duration_us > @threshold and duration_us <= 4 * @threshold,
        bucket > @within and bucket <= @fourfold
    )
), 0)::bigint as tolerated,
