-- Of requests that are no errors: how many took up to @threshold, and how many up to four times as long.
sumIf(n, status < 500 and outcome <> 2 and @typical <= @threshold) as satisfied,
sumIf(n, status < 500 and outcome <> 2 and @typical > @threshold and @typical <= 4 * @threshold) as tolerated,
