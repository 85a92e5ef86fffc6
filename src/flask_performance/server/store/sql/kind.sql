-- The kind of a cell: its answer, as `statistics.ANSWERS` numbers them, and as what it is judged for Apdex.
3 * case when outcome = 1 then if(status >= 500, 6, 5) when outcome = 2 or status >= 500 then 4
         when status >= 400 then 3 when status >= 300 then 2 when status >= 200 then 1 else 0 end + @judged
