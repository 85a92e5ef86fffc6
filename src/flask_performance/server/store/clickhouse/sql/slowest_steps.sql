-- The hours in which a window's slowest requests lie.
select distinct intDiv(start_us, $hour_us) from (@cells) where bucket >= $least limit $most
