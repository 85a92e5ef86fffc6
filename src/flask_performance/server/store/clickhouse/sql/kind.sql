-- The kind of a cell: its answer, as `statistics.ANSWERS` numbers them, and as what it is judged for Apdex.
3 * multiIf(outcome = 1, if(status >= 500, 6, 5), outcome = 2 or status >= 500, 4, status >= 400, 3, status >= 300, 2,
            status >= 200, 1, 0) + @judged
