-- How a cell is judged: 1, if it took up to @threshold, and 2, if up to four times as long; 0 is neither, and an
-- error. A cell of several requests is judged by its bucket, the only one of them by its own duration, if @alone.
multiIf(status >= 500 or outcome = 2, 0, if(@alone and n = 1, us, @middle) <= @threshold, 1,
        if(@alone and n = 1, us, @middle) <= 4 * @threshold, 2, 0)
