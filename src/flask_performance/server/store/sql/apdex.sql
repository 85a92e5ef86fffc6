-- Of requests that are no errors: how many took up to @threshold, and how many up to four times as long.
coalesce(sum(requests) filter (status < 500 and outcome <> 2 and @typical <= @threshold), 0)::bigint as satisfied,
coalesce(sum(requests) filter (status < 500 and outcome <> 2 and @typical > @threshold
                               and @typical <= 4 * @threshold), 0)::bigint as tolerated,
