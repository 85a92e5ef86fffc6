-- How a cell is judged: 1, if it took up to @threshold, and 2, if up to four times as long; 0 is neither, and an
-- error. A cell of several requests is judged by its bucket, the only one of them by its own duration, if @alone.
case when status >= 500 or outcome = 2 then 0
     when @alone and requests = 1 then if(duration_us <= @threshold, 1, if(duration_us <= 4 * @threshold, 2, 0))
     else if(bucket <= @within, 1, if(bucket <= @fourfold, 2, 0)) end
